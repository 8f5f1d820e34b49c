"""When actors ran."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scenarios.evidence.positions import Position
from scenarios.evidence.shared import once_per_history
from scenarios.history import History, Op

SERVER = "dtms"
ASKED_AT_RECOVERY = ("broker", "main-api")
"""Who the server needs an answer from to finish a recovery."""


def told(history: History, f: str, actor: str) -> tuple[Op, ...]:
    """What the world said of the actor: `start`, `ready`, `kill`, `exited` and the like.

    When the episode is over the world ends everybody; that is left out."""
    end = history.phase("end")
    return tuple(
        op
        for op in history.notes(f, "world")
        if op.get("actor") == actor and (end is None or op.index < end.index)
    )


@dataclass(frozen=True, slots=True)
class Restorations:
    """When the server may have taken positions over from the broker: at the end of a recovery, or
    later where that could not be finished for want of somebody to ask (`unfinished`)."""

    broker: bool
    readies: tuple[Op, ...]
    starts: tuple[Op, ...]
    unfinished: bool = False

    @classmethod
    def of(cls, history: History) -> Restorations:
        return _restorations(history)

    def possible(self, position: Position | None) -> bool:
        """Whether a recovery began or ended after the position was opened."""
        if position is None or not self.broker:
            return False
        if self.unfinished:
            return True
        last = max((op.index for op in (*self.readies, *self.starts)), default=-1)
        return last > position.op.index

    def due_since(self, op: Op) -> bool:
        """Whether a recovery that began after `op` must have taken its news into account."""
        if not self.broker or self.unfinished:
            return False
        since = next((start.index for start in self.starts if start.index > op.index), None)
        return since is not None and any(ready.index > since for ready in self.readies)

    def first_after(self, position: Position) -> int | None:
        """When (us) the first recovery that may have found the position was over."""
        if not self.broker:
            return None
        return next((op.time_us for op in self.readies if op.index > position.op.index), None)


@once_per_history
def _restorations(history: History) -> Restorations:
    return Restorations(
        broker=bool(told(history, "start", "broker")),
        readies=told(history, "ready", SERVER),
        starts=told(history, "start", SERVER),
        unfinished=_unfinished(history),
    )


def _unfinished(history: History) -> bool:
    """Whether a recovery may have gone on without broker or registry: one of them came up after
    the server, went away, or was told to misbehave."""
    first = min((op.index for op in told(history, "start", SERVER)), default=None)
    for asked in ASKED_AT_RECOVERY:
        came_up = told(history, "ready", asked) or told(history, "start", asked)
        late = [op for op in came_up if first is None or op.index > first]
        if late or told(history, "exited", asked) or told(history, "pause", asked):
            return True
    inflicted = (op.get("fault") for op in history.notes("inflict", "nemesis"))
    return any(fault in {"broker-fault", "manager-fault"} for fault in inflicted)


@dataclass(frozen=True, slots=True)
class Down:
    """A stretch in which the actor could not answer: operations strictly between two indices."""

    after: Op
    until: Op | None

    def covers(self, first: Op, last: Op) -> bool:
        return first.index > self.after.index and (
            self.until is None or last.index < self.until.index
        )


def down(history: History, actor: str) -> tuple[Down, ...]:
    """When the actor was not running, or was stopped by a signal.

    A kill counts from the moment the process was seen to have ended: until then it may answer. A
    pause ends with the process at the latest: the next one is not stopped.
    """
    exits = told(history, "exited", actor)
    over = sorted((*told(history, "resume", actor), *exits), key=lambda op: op.index)
    return (
        *_stretches(exits, told(history, "start", actor)),
        *_stretches(told(history, "pause", actor), tuple(over)),
    )


def _stretches(begins: tuple[Op, ...], ends: tuple[Op, ...]) -> Iterator[Down]:
    for begin in begins:
        yield Down(begin, next((end for end in ends if end.index > begin.index), None))


KILLED = -9
"""The exit status of a process that was killed, by itself or another."""
CRASHES = frozenset({"crash-at", "memory-limit", "server-fault"})
"""Faults by which an actor may die without being killed by the lab."""
KEEP_FROM_STARTING = frozenset({"disk-trouble", "server-fault"})
"""Faults over which an actor may give up before it is ready."""


def ended_by_lab(history: History, exited: Op, actor: str) -> bool:
    """Whether the actor's end is the lab's doing: it was killed or stopped since it was started, or
    a fault had been inflicted that ends an actor in this way."""
    starts = (op.index for op in told(history, "start", actor) if op.index < exited.index)
    since = max(starts, default=-1)

    def happened(f: str) -> bool:
        return any(since < op.index < exited.index for op in told(history, f, actor))

    if happened("kill") or happened("stop"):
        return True
    suffered = {
        op.get("fault")
        for op in history.notes("inflict", "nemesis")
        if op.index < exited.index and op.get("actor") == actor
    }
    if exited.get("exit_status") in (None, KILLED):
        return bool(suffered & CRASHES)
    return not happened("ready") and bool(suffered & KEEP_FROM_STARTING)


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch of time in which no connection of a service to the server could be made."""

    since_us: int
    until_us: int


def cuts(history: History, service: str) -> tuple[Cut, ...]:
    """When the server was not running, or the service's link to it was refused."""
    starts, found = told(history, "start", SERVER), []
    if starts:
        found.append(Cut(0, starts[0].time_us))
    for stretch in _stretches(told(history, "exited", SERVER), starts):
        until_us = history.end_us if stretch.until is None else stretch.until.time_us
        found.append(Cut(stretch.after.time_us, until_us))
    undone = history.notes("undo", "nemesis")
    for inflicted in history.notes("inflict", "nemesis"):
        if inflicted.get("fault") == "refuse" and inflicted.get("link") in (
            f"{service}->{SERVER}",
            f"*->{SERVER}",
        ):
            until = next(
                (
                    op.time_us
                    for op in undone
                    if op.index > inflicted.index and op.value == inflicted.value
                ),
                history.end_us,
            )
            found.append(Cut(inflicted.time_us, until))
    return tuple(found)
