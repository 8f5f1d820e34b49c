"""Who is told when registrations fail, and how loudly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.events import Events, Level

ERROR_AFTER = 3
"""Consecutive failures that make an alert."""
CRITICAL_AFTER_S = 300.0
"""How long the API may be down before it is critical."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should see. `ticket` is None where it is about no single trade."""

    level: Level
    event: str
    ticket: int | None
    reason: str


class AlertSink(Protocol):
    """Takes alerts to where people look. Must not block."""

    def emit(self, alert: Alert) -> None:
        """Called once for each alert."""
        ...


class Alerts:
    """1 failure is a WARNING event, ERROR_AFTER in a row an ERROR and an alert, down for longer
    than CRITICAL_AFTER_S a CRITICAL one; each is told once per streak."""

    def __init__(self, events: Events, sinks: Sequence[AlertSink] = ()) -> None:
        self._events = events
        self._sinks = tuple(sinks)
        self._failures = 0
        self._failing_since = 0.0
        self._critical = False

    def on_failure(self, now: float, ticket: int | None, reason: str, **fields: object) -> None:
        """A send failed, at `now` on the monotonic clock."""
        if self._failures == 0:
            self._failing_since, self._critical = now, False
        self._failures += 1
        down_s = now - self._failing_since
        self._events.emit(Level.WARNING, "attempt_failed", ticket=ticket, reason=reason, **fields)
        if self._failures == ERROR_AFTER:
            reason = f"{ERROR_AFTER} failures in a row, the last: {reason}"
            self.raise_alert(Alert(Level.ERROR, "registrations_failing", ticket, reason))
        if down_s > CRITICAL_AFTER_S and not self._critical:
            self._critical = True
            reason = f"the DTMS API has taken no registration for {down_s:.0f} s"
            self.raise_alert(Alert(Level.CRITICAL, "api_down", None, reason))

    def on_success(self) -> None:
        """The API answered well; the streak is over."""
        self._failures = 0

    def raise_alert(self, alert: Alert) -> None:
        """Tells every sink; one that fails is itself an event, and harms nobody else."""
        self._events.emit(alert.level, alert.event, ticket=alert.ticket, reason=alert.reason)
        for sink in self._sinks:
            try:
                sink.emit(alert)
            except Exception as error:  # noqa: BLE001 - somebody else's code, and money at risk
                self._events.emit(
                    Level.ERROR,
                    "alert_sink_failed",
                    ticket=alert.ticket,
                    reason=f"{type(error).__name__}: {error}",
                )
