"""In which order callbacks that are ready at the same moment run.

A schedule says how many places each callback of a process is put back from first come, first
served. So 0 is benign, no callback waits behind more than PLACES_MAX that came later, and taking
one decision away leaves the others as they are. What was decided can be noted and played again.
"""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from hashlib import blake2b
from random import Random
from typing import Literal, Protocol

PLACES_MAX = 64
"""By how many places a callback may be put back: the bound on unfairness."""
CALM = 0.75
"""The share of callbacks that a random walk leaves in their place."""
CHANGES = 3
"""How often PCT changes its mind about the tasks of a process."""
CHANGE_WITHIN = 1_000
"""Among its first so many callbacks."""

Kind = Literal["fifo", "random", "pct"]
KINDS: tuple[Kind, ...] = ("fifo", "random", "pct")

TASK: contextvars.ContextVar[int] = contextvars.ContextVar("TASK", default=0)
"""The number of the task within its process; kept only where the schedule asks for it."""


class Schedule(Protocol):
    """`by_task`: decisions are about tasks, so that the loop must number them."""

    by_task: bool

    def places(self, process: str, nth: int, context: contextvars.Context) -> int:
        """How many places the `nth` callback of `process`, counted from 0, is put back."""
        ...


class RandomWalk:
    """Single callbacks are put back, each drawn by itself."""

    by_task = False

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._streams: dict[str, Random] = {}

    def places(self, process: str, nth: int, context: contextvars.Context) -> int:  # noqa: ARG002
        # One draw for each callback, from a stream of the process: the nth draw is the nth's.
        stream = self._streams.get(process)
        if stream is None:
            stream = self._streams[process] = Random(f"walk {self._seed} {process}")
        drawn = stream.random()
        return 0 if drawn < CALM else int((drawn - CALM) / (1 - CALM) * PLACES_MAX)


class Pct:
    """Whole tasks are put back, by a priority that is drawn once, and anew at CHANGES points.

    After S. Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding
    Bugs" (ASPLOS 2010), with bounded unfairness instead of strict priorities, under which code
    that polls would wait for ever.
    """

    by_task = True

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._priority: dict[tuple[str, int], int] = {}
        self._changes: dict[str, frozenset[int]] = {}

    def places(self, process: str, nth: int, context: contextvars.Context) -> int:
        changes = self._changes.get(process)
        if changes is None:
            random = Random(f"pct {self._seed} {process}")
            changes = frozenset(random.randrange(CHANGE_WITHIN) for _ in range(CHANGES))
            self._changes[process] = changes
        task = (process, context.get(TASK, 0))
        priority = self._priority.get(task)
        if priority is None or nth in changes:
            key = f"pct {self._seed} {task} {nth if nth in changes else ''}"
            # A hash, not a generator: seeding one costs five times as much as all that follows.
            drawn = blake2b(key.encode(), digest_size=8).digest()
            priority = self._priority[task] = int.from_bytes(drawn, "big") % PLACES_MAX
        return priority


class Noted:
    """Another schedule, whose decisions other than 0 are kept in `decisions`, by process."""

    def __init__(self, schedule: Schedule) -> None:
        self.by_task = schedule.by_task
        self.decisions: dict[str, dict[int, int]] = {}
        self._schedule = schedule

    def places(self, process: str, nth: int, context: contextvars.Context) -> int:
        places = self._schedule.places(process, nth, context)
        if places:
            self.decisions.setdefault(process, {})[nth] = places
        return places


class Scripted:
    """What `decisions` say, by process and callback; everything else stays in its place."""

    by_task = False

    def __init__(self, decisions: Mapping[str, Mapping[int, int]]) -> None:
        self._decisions = decisions

    def places(self, process: str, nth: int, context: contextvars.Context) -> int:  # noqa: ARG002
        about = self._decisions.get(process)
        return 0 if about is None else min(about.get(nth, 0), PLACES_MAX)


def schedule_of(kind: Kind, seed: int) -> Schedule | None:
    """The schedule of that kind; None is first come, first served, which decides nothing."""
    match kind:
        case "fifo":
            return None
        case "random":
            return RandomWalk(seed)
        case "pct":
            return Pct(seed)
