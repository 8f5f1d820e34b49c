"""The scenarios of the crash-point sweep. No suite has them: their faults come from the sweep."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from scenarios.scenario import Family, Scenario
from scenarios.suites.promises import CRASHED
from scenarios.workload import Lane, Via, Workload, steady

LASTS_S = 1.0
BEGINS_S = 0.1
"""Later than the faults, so that even its first step can be the last."""


def one_trade(via: Via) -> Workload:
    """A trade that is registered that way."""

    def lanes(random: Random) -> tuple[Lane, ...]:
        made = steady(("bot",), trades=1, over_s=0.1, via=via)(random)
        return tuple(replace(lane, at_s=BEGINS_S) for lane in made)

    return lanes


ONE_REGISTRATION = Scenario(
    name="one-registration",
    family=Family.RECOVERY,
    proves="One registration survives a death at every boundary, and a second in its recovery.",
    workload=one_trade("register"),
    faults_last_s=LASTS_S,
    needs=frozenset({"broker"}),
    checkers=CRASHED,
)

ONE_PROMISE = Scenario(
    name="one-promise",
    family=Family.RECOVERY,
    proves="One trade that was accepted survives alike, without a broker that would tell of it.",
    workload=one_trade("auto"),
    faults_last_s=LASTS_S,
    # Who dies before it has accepted a trade owes nothing, and nobody else knows of it.
    checkers=tuple(name for name in CRASHED if name != "unprotected_time_is_bounded"),
)

SWEPT = (ONE_REGISTRATION, ONE_PROMISE)
