"""A simulated process: an identity that every callback carries, and that can be killed or paused.

The identity travels in the callback's context, as tasks pass it on by themselves. A dead process
never runs again: what it still had to do is dropped, and what it holds outside is given back by
its last will, or fenced by asking `alive`.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from enum import Enum
from functools import partial


class Life(Enum):
    """What may be done with a process's callbacks."""

    RUNNING = "running"
    PAUSED = "paused"
    DEAD = "dead"


RUNNING, PAUSED, DEAD = Life.RUNNING, Life.PAUSED, Life.DEAD
"""Reading a member from its class costs as much as what is done with it, and is done everywhere."""


class ProcessKilled(BaseException):
    """Unwinds the callback in whose middle its process died. Nothing that follows may have effect
    outside the process."""


class Process:
    """One run of one actor; a restart makes another one. `epoch` counts the actor's runs."""

    __slots__ = ("_last_will", "_wills", "context", "epoch", "life", "name", "parked")

    def __init__(self, name: str, epoch: int = 0) -> None:
        self.name = name
        self.epoch = epoch
        self.life = Life.RUNNING
        self.parked: list[object] = []
        """Callbacks that wait until the process is resumed; the loop's."""
        self.context = contextvars.Context()
        self.context.run(PROCESS.set, self)
        self._last_will: dict[int, Callable[[], None]] = {}
        self._wills = 0

    def __repr__(self) -> str:
        return f"<{self.name} #{self.epoch} {self.life.value}>"

    @property
    def alive(self) -> bool:
        return self.life is not DEAD

    def at_death(self, do: Callable[[], None]) -> Callable[[], object]:
        """`do` is called, from outside, when the process dies; what comes back takes that back."""
        self._wills += 1
        key = self._wills
        self._last_will[key] = do
        return partial(self._last_will.pop, key, None)

    def die(self) -> None:
        """From now on nothing of it runs. What it holds outside is given back, in order."""
        if self.life is DEAD:
            return
        self.life = Life.DEAD
        self.parked.clear()
        wills = tuple(self._last_will.values())
        self._last_will.clear()
        for do in wills:
            do()

    def stop_if_dead(self) -> None:
        """Raises `ProcessKilled` where the process has died in the middle of its callback."""
        if self.life is DEAD:
            raise ProcessKilled(self.name)


PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("PROCESS", default=None)
"""Whose code runs. None is the lab's own: driver, nemesis, network."""

NEUTRAL = contextvars.Context()
"""Belongs to no process: what is on its way in the network outlives whoever sent it."""


def current_process() -> Process | None:
    """The process whose code runs now; None for the lab itself."""
    return PROCESS.get()
