"""One measured figure, with its unit and what it may be at most or must be at least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` in `unit`; `bound` is what the project promises, None where it promises nothing."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    sense: Literal["at most", "at least"] = "at most"

    @property
    def kept(self) -> bool:
        """Whether the promise is kept."""
        if self.bound is None:
            return True
        return self.value <= self.bound if self.sense == "at most" else self.value >= self.bound


def quantile(values: Sequence[float], q: float) -> float:
    """The smallest value that a fraction `q` of all does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, ceil(q * len(ordered)) - 1)]
