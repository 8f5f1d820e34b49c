"""The crash-point sweep: dies at every boundary of one registration, and again in its recovery.

A quiet episode tells which points of input and output client and server pass, in order: each
write, sync, send, receive and answer. Then the episode is played once for each of them, the actor
dying there; and once more for each point that was passed after that, dying there as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from chaos.capabilities import Point
from chaos.faults import CrashAt
from chaos.schedule import Scheduled, at
from scenarios.exploration.judged import Judged, judged
from scenarios.scenario import Scenario
from scenarios.suites.one_registration import SWEPT
from scenarios.worlds.sim.outbox import FILE_NAME as OUTBOX
from scenarios.worlds.sim.parts import REFERENCE, Parts
from scenarios.worlds.sim.play import Plan
from scenarios.worlds.sim.points import Reached
from scenarios.worlds.sim.world import Fidelity
from simulator.deterministic.store import FILE_NAME as STORE

RESTART_AFTER_S = 0.05
ALL = 1 - 2**-20
"""Drawn for how much of what was not synced a loss of power takes."""


@dataclass(frozen=True, slots=True)
class Swept:
    """One episode of a sweep: where it died, and what came of it. With `power`, all that was not
    synced was lost."""

    scenario: str
    deaths: tuple[Reached, ...]
    power: bool
    judged: Judged

    @property
    def name(self) -> str:
        """For files: no two episodes of a sweep have the same."""
        deaths = (f"{death.actor}-{death.point}-{death.nth}" for death in self.deaths)
        return "-".join((self.scenario, *deaths, "power" if self.power else "kill"))


def sweep(
    *,
    nested: bool = True,
    powers: Sequence[bool] = (False, True),
    fidelity: Fidelity = "message",
    parts: Parts = REFERENCE,
    scenarios: Sequence[Scenario] = SWEPT,
    seed: int = 1,
) -> Iterator[Swept]:
    """Every death at a point of the registration, each followed by every second death when
    `nested`. Raises what `play` raises."""
    for scenario in scenarios:
        quiet = Plan(scenario, seed, fidelity=fidelity, faults=(), choices={}, parts=parts)
        for power in powers:
            for first in passed(judged(quiet, trail=True)):
                once = judged(_dying(quiet, (first,), power), trail=True)
                yield Swept(scenario.name, (first,), power, once)
                if not nested:
                    continue
                following = passed(once)
                for second in following[following.index(first) + 1 :]:
                    twice = judged(_dying(quiet, (first, second), power))
                    yield Swept(scenario.name, (first, second), power, twice)


def _dying(quiet: Plan, deaths: Sequence[Reached], power: bool) -> Plan:
    faults = tuple(crash_at(death, power) for death in deaths)
    return replace(quiet, faults=faults, choices=_all_is_lost(deaths) if power else {})


def _all_is_lost(deaths: Sequence[Reached]) -> dict[str, float]:
    """The choices by which the disks of those who die keep nothing that was not synced."""
    files = {"bot": OUTBOX, "dtms": STORE}
    died = Counter(death.actor for death in deaths)
    return {
        f"power {actor} {files[actor]} {n}": ALL
        for actor, times in died.items()
        for n in range(times)
    }


def crash_at(death: Reached, power: bool) -> Scheduled:
    point = cast(Point, death.point)
    return at(
        0.0,
        CrashAt(death.actor, point, nth=death.nth, power=power, restart_after_s=RESTART_AFTER_S),
    )


def passed(outcome: Judged) -> tuple[Reached, ...]:
    """What was passed while faults could happen, counted as a crash that is armed at their
    beginning counts."""
    history = outcome.played.history
    begun, healed = history.phase("faults"), history.phase("healed")
    if begun is None or healed is None:
        return ()
    before: Counter[tuple[str, str]] = Counter()
    passed = []
    for reached in outcome.played.trail:
        kind = (reached.actor, reached.point)
        # At that very moment the services are first: crashes are armed after it.
        if reached.time_us <= begun.time_us:
            before[kind] += 1
        elif reached.time_us < healed.time_us:
            passed.append(replace(reached, nth=reached.nth - before[kind]))
    return tuple(passed)
