"""The scenario of the crash-point sweep. No suite has it: its faults come from the sweep alone."""

from __future__ import annotations

from scenarios.scenario import Family, Scenario
from scenarios.suites.promises import CRASHED
from scenarios.workload import steady

LASTS_S = 1.0

ONE_REGISTRATION = Scenario(
    name="one-registration",
    family=Family.RECOVERY,
    proves="One registration survives a death at every boundary, and a second in its recovery.",
    workload=steady(("bot",), trades=1, over_s=0.1),
    faults_last_s=LASTS_S,
    needs=frozenset({"broker"}),
    checkers=CRASHED,
)
