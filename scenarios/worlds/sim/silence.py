"""Metrics that nobody reads: in the simulation the history tells all."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from core.metrics import Metrics


class Silent:
    """Takes whatever an instrument is told, and keeps none of it."""

    def inc(self, _by: float = 1) -> None:
        """One more."""

    def set(self, _to: float) -> None:
        """A level."""

    def observe(self, _value: float) -> None:
        """A measured value."""

    def set_function(self, _read: Callable[[], float]) -> None:
        """How to read a level."""

    def labels(self, *_values: str) -> Silent:
        """The instrument for these labels."""
        return self


class SilentMetrics(Metrics):
    """Every instrument of `Metrics`, silent. One serves all cores of all episodes."""

    def __init__(self) -> None:
        super().__init__(CollectorRegistry())
        for name, instrument in tuple(vars(self).items()):
            if instrument is not self.registry:
                setattr(self, name, SILENT)


SILENT = Silent()
