"""Few faults that may do what many did: one death at the right moment, and one fault besides.

What is found by chance has faults that only happened to make room for one another. The moments that
count are few: the points of input and output that an episode passes, the arrival of a request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from chaos.faults import DiskTrouble, Kill, Latency, PowerLoss
from chaos.schedule import AfterRequest, Scheduled, at, during
from scenarios.exploration.judged import Judged
from scenarios.exploration.seedling import SERVER
from scenarios.exploration.sweep import RESTART_AFTER_S, crash_at, passed
from scenarios.worlds.sim.play import Plan
from scenarios.worlds.sim.world import START_S

WIDENERS = (
    at(0.0, Latency(f"*->{SERVER}", latency_ms=200.0)),
    at(0.0, DiskTrouble(SERVER, "slow", 0.3)),
)
"""What makes narrow races wide."""
MOMENTS_S = (0.01, 0.03, 0.1, 0.2)
"""How long after a trade began the power may fail."""
DOWN_S = 0.05
RECOVERING_S = 0.0003
"""How long the server has been up, and is not ready, when a request is to arrive."""


def beside(faults: Sequence[Scheduled]) -> tuple[tuple[Scheduled, ...], ...]:
    """What may happen besides a death, in the place of these faults: nothing; where there are
    several, one of them, a slow network or disk, or one of them from the beginning until all heals.
    """
    if len(faults) < 2:
        return ((),)
    singles = (*faults, *WIDENERS, *map(_for_longer, faults))
    distinct = {str(fault): fault for fault in singles}
    return ((), *((fault,) for fault in distinct.values()))


def with_a_death(quiet: Judged, actors: Collection[str]) -> Iterator[Plan]:
    """The plan with one death more: at every point that is passed in it, where it kept its trail;
    by loss of power some moments after each trade began; and of the server, in time to be back, and
    not ready, when a request arrives. What is left after a loss of power the seed decides."""
    plan = quiet.plan
    for power, death in _deaths(quiet, actors):
        faults = (*(plan.faults or ()), death)
        yield replace(plan, faults=faults, choices=None if power else {})


def _deaths(quiet: Judged, actors: Collection[str]) -> Iterator[tuple[bool, Scheduled]]:
    for point in passed(quiet):
        if point.actor in actors:
            yield False, crash_at(point, power=False)
            yield True, crash_at(point, power=True)
    for lane in quiet.plan.lanes or ():
        for later_s in MOMENTS_S:
            for actor in actors:
                yield True, at(lane.at_s + later_s, PowerLoss(actor, RESTART_AFTER_S))
    for death in _back_for_requests(quiet):
        yield False, death


def _back_for_requests(quiet: Judged) -> Iterator[Scheduled]:
    begun = quiet.played.history.phase("faults")
    if begun is None:
        return
    for point in passed(quiet):
        if (point.actor, point.point) != (SERVER, "receive"):
            continue
        back_s = round((point.time_us - begun.time_us) / 1e6 - START_S - RECOVERING_S, 6)
        if back_s > DOWN_S:
            yield during(round(back_s - DOWN_S, 6), back_s, Kill(SERVER))


def _for_longer(scheduled: Scheduled) -> Scheduled:
    return scheduled if isinstance(scheduled, AfterRequest) else at(0.0, scheduled.fault)
