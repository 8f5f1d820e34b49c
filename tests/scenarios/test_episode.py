"""An episode, as far as no scenario of the suites shows it."""

from __future__ import annotations

from chaos.faults import Kill
from chaos.schedule import during
from scenarios.checkers import judge
from scenarios.scenario import PRODUCTION, Bounds, Family, Scenario
from scenarios.verdict import Valid
from scenarios.workload import steady
from scenarios.worlds.sim.play import Plan, play

BOUND_S = 60.0

OUTAGE = Scenario(
    name="outage-at-productions-pace",
    family=Family.DOWN,
    proves="A trade that waits for the breaker is protected within a bound that is longer still.",
    workload=steady(("bot",), trades=1, over_s=0.1),
    faults=lambda _random: (during(0.0, 7.0, Kill("dtms")),),
    faults_last_s=7.5,
    services=("bot",),
    policy=PRODUCTION,
    bounds=Bounds(unprotected_s=BOUND_S),
    checkers=("unprotected_time_is_bounded",),
)


def test_services_may_take_as_long_as_the_scenario_allows():
    played = play(Plan(OUTAGE, 1, "message", "fifo"))
    healed, settled = (played.history.phase(name) for name in ("healed", "settled"))
    assert healed is not None
    assert settled is not None
    assert 15.0 < (settled.time_us - healed.time_us) / 1e6 < BOUND_S
    (verdict,) = judge(played.history, OUTAGE.checkers).values()
    assert isinstance(verdict, Valid), verdict
