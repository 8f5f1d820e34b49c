"""What to play next: fresh seeds, and more of what was new.

A plan whose history went ways that nobody has gone before is worth going on from: with the same
faults and another schedule, or with one fault more or less. As in coverage-guided fuzzing (M.
Zalewski's AFL), with behaviour in the place of code coverage.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from random import Random

from chaos.notation import encode_schedule
from scenarios.exploration.seedling import Seedling, plan_of
from simulator.deterministic.schedule import KINDS, Kind

WAITING_MAX = 4_096
"""How many plans may wait to be gone on from; the oldest are forgotten."""
SEEN_MAX = 2_000_000
"""How many behaviours are remembered."""
OFFSPRING = 2
"""How many plans follow on each new behaviour."""
FRESH_SHARE = 0.5
"""How many of the plans are fresh at least."""
PLAIN_SHARE = 0.25
"""How many of the fresh plans have no faults but the scenario's own."""


class Frontier:
    """Endless. `random` decides, so that one seed explores one way for as long as results come in
    the same order."""

    def __init__(self, fresh: Sequence[Seedling], seed: int) -> None:
        """`fresh` are taken in turns, each time with the next seed from `seed` on."""
        self.behaviours = 0
        self._random = Random(seed)
        self._fresh = _fresh(fresh, seed)
        self._swarm = any(seedling.swarm for seedling in fresh)
        self._seen: set[str] = set()
        self._waiting: deque[Seedling] = deque(maxlen=WAITING_MAX)

    def take(self, count: int) -> list[Seedling]:
        """The next plans to play."""
        return [self._next() for _ in range(count)]

    def learn(self, seedlings: Sequence[Seedling], fingerprints: Sequence[str]) -> None:
        """What came of plans that were taken."""
        for seedling, mark in zip(seedlings, fingerprints, strict=True):
            if not mark or mark in self._seen or len(self._seen) >= SEEN_MAX:
                continue
            self._seen.add(mark)
            self.behaviours += 1
            self._waiting.extend(self._offspring(seedling) for _ in range(OFFSPRING))

    def _next(self) -> Seedling:
        if self._waiting and self._random.random() >= FRESH_SHARE:
            return self._waiting.popleft()
        return next(self._fresh)

    def _offspring(self, parent: Seedling) -> Seedling:
        random = self._random
        seed, schedule = random.randrange(2**31), random.choice(KINDS)
        if not self._swarm:
            return replace(parent, seed=seed, schedule=schedule)
        faults = parent.faults
        if faults is None:
            planned = plan_of(parent)
            made = planned.faults
            if made is None:
                return replace(parent, seed=seed, schedule=schedule, swarm=True)
            faults = tuple(encode_schedule(made))
        changed = list(faults)
        if changed and random.random() < 1 / 3:
            changed.pop(random.randrange(len(changed)))
        elif random.random() < 1 / 2:
            other = plan_of(replace(parent, faults=None, swarm=True, seed=seed)).faults or ()
            changed += random.sample(encode_schedule(other), k=min(1, len(other)))
        return replace(parent, seed=seed, schedule=schedule, swarm=True, faults=tuple(changed))


def _fresh(turns: Sequence[Seedling], seed: int) -> Iterator[Seedling]:
    """One seedling after the other, round by round: three schedules, mostly with a swarm."""
    number = seed
    for kind in cycle(KINDS):
        for seedling in turns:
            yield sown(seedling, number, kind)
            number += 1


def sown(seedling: Seedling, seed: int, kind: Kind) -> Seedling:
    """The seedling with a seed, which decides whether it keeps its swarm, if it has one."""
    swarm = seedling.swarm and Random(seed).random() >= PLAIN_SHARE
    return replace(seedling, seed=seed, schedule=kind, swarm=swarm)
