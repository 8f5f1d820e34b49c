"""Parameters of one random fault, each drawn by its own name: leaving one out shifts no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from chaos.choice import Draw, happens
from chaos.fault import Fault
from chaos.schedule import Scheduled, at, during

T = TypeVar("T")

FIRST_PART = 0.75
"""A fault begins within this part of the time there is, so that it has time to do something."""
SHORTEST_PART = 0.05
"""A fault lasts at least for this part of the time there is."""


@dataclass(frozen=True, slots=True)
class Dice:
    """Draws about one fault: the key of its `start` is `<about> start`. A draw of 0 gives the
    first option, the lowest number and the shortest time."""

    draw: Draw
    about: str
    last_s: float

    def one_of(self, what: str, options: Sequence[T]) -> T:
        """One of the options, each as likely as the others."""
        return options[int(self._drawn(what) * len(options))]

    def number(self, what: str, low: float, high: float) -> float:
        """At least `low`, less than `high`, to the thousandth so that plans can be read."""
        return max(low, int((low + self._drawn(what) * (high - low)) * 1000) / 1000)

    def low_number(self, what: str, low: float, high: float) -> float:
        """As `number`, and rather low than high."""
        return max(low, int((low + self._drawn(what) ** 2 * (high - low)) * 1000) / 1000)

    def whole(self, what: str, low: int, high: int) -> int:
        """From `low` to `high`, both included."""
        return low + int(self._drawn(what) * (high - low + 1))

    def chance(self, what: str, probability: float) -> bool:
        """Whether something of this probability is so."""
        return happens(probability, f"{self.about} {what}", self.draw)

    def window(self, fault: Fault) -> Scheduled:
        """The fault for some while that ends within `last_s`; rather short than long."""
        start_s = self._start_s()
        for_s = self.low_number("length", SHORTEST_PART * self.last_s, self.last_s - start_s)
        return during(start_s, min(round(start_s + for_s, 9), self.last_s), fault)

    def since(self, fault: Fault) -> Scheduled:
        """The fault from some moment until everything heals."""
        return at(self._start_s(), fault)

    def _start_s(self) -> float:
        return self.number("start", 0.0, FIRST_PART * self.last_s)

    def _drawn(self, what: str) -> float:
        return self.draw(f"{self.about} {what}")
