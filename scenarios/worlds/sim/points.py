"""The points of input and output that actors come to, and what is to die at which of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulator.deterministic.process import current_process


@dataclass(frozen=True, slots=True)
class Reached:
    """The `nth` time, from 0, that `actor` came to `point`; `time_us` since the episode began."""

    actor: str
    point: str
    nth: int
    time_us: int


@dataclass(slots=True, eq=False)
class Armed:
    """The actor dies when it has come to the point `left` times more."""

    left: int
    die: Callable[[], None]


class Crossings:
    """Tells who comes to a point whether it dies there; `trail`, where it is a list, keeps all."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.trail: list[Reached] | None = None
        self._now_us = now_us
        self._counts: dict[tuple[str, str], int] = {}
        self._armed: dict[tuple[str, str], list[Armed]] = {}

    def arm(self, actor: str, point: str, armed: Armed) -> Callable[[], None]:
        """What comes back disarms."""
        waiting = self._armed.setdefault((actor, point), [])
        waiting.append(armed)

        def disarm() -> None:
            if armed in waiting:
                waiting.remove(armed)
            if not waiting:
                self._armed.pop((actor, point), None)

        return disarm

    def of(self, actor: str) -> Callable[[str], None]:
        """What an actor's parts call at each point, in its own process."""

        def reached(point: str) -> None:
            if self.trail is not None or self._armed:
                self._reach(actor, point)

        return reached

    def _reach(self, actor: str, point: str) -> None:
        process = current_process()
        if process is None or not process.alive:
            return
        key = (actor, point)
        if self.trail is not None:
            nth = self._counts.get(key, 0)
            self._counts[key] = nth + 1
            self.trail.append(Reached(actor, point, nth, self._now_us()))
        due = None
        for armed in tuple(self._armed.get(key, ())):
            if armed.left == 0:
                self._armed[key].remove(armed)
                due = due or armed
            # Whoever dies here has come here as well, so the others count it before.
            armed.left -= 1
        if due is not None:
            due.die()
            process.stop_if_dead()
