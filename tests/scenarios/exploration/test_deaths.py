"""The few moments at which a death may do what many faults did."""

from __future__ import annotations

import pytest

from chaos.faults import CrashAt, Kill, Latency, PowerLoss
from chaos.notation import decode_schedule, encode_schedule
from chaos.schedule import Timed, after_request, at, during
from scenarios.exploration.deaths import WIDENERS, beside, with_a_death
from scenarios.exploration.judged import Judged, judged
from scenarios.suites import SCENARIOS
from scenarios.suites.one_registration import ONE_REGISTRATION
from scenarios.worlds.sim.play import Plan

LATE = during(0.1, 0.2, Latency("*->dtms", 10.0))
KILL = after_request(2, Kill("dtms"), for_s=0.1)


@pytest.fixture(scope="module")
def quiet() -> Judged:
    plan = Plan(ONE_REGISTRATION, 1, faults=(LATE,), decisions={}, choices={})
    return judged(plan, trail=True)


def test_in_the_place_of_one_fault_nothing_else_is_put() -> None:
    assert beside((LATE,)) == ((),)


def test_in_the_place_of_several_there_is_at_most_one() -> None:
    others = beside((LATE, KILL))
    assert others[0] == ()
    assert {len(other) for other in others[1:]} == {1}
    assert {(LATE,), (KILL,), *((one,) for one in WIDENERS)} < set(others)


def test_a_fault_with_a_window_is_also_put_there_from_the_beginning_to_the_end() -> None:
    assert (at(0.0, LATE.fault),) in beside((LATE, KILL))


def test_nothing_is_tried_twice() -> None:
    others = beside((LATE, LATE, at(0.0, LATE.fault)))
    assert len(others) == len({str(other) for other in others})


def test_there_is_a_crash_with_and_without_power_at_each_point_of_those_who_may_die(quiet) -> None:
    crashes = [plan.faults[-1].fault for plan in with_a_death(quiet, {"dtms"})]
    points = [
        (crash.point, crash.nth, crash.power) for crash in crashes if isinstance(crash, CrashAt)
    ]
    passed = {(r.point, r.nth) for r in quiet.played.trail if r.actor == "dtms"}
    assert len(points) == len(set(points))
    assert {(point, power) for point, _nth, power in points} == {
        (point, power) for point, _nth in passed for power in (False, True)
    }


def test_nobody_else_dies(quiet) -> None:
    for plan in with_a_death(quiet, {"dtms"}):
        assert plan.faults[-1].fault.actor == "dtms"


def test_what_there_was_stays(quiet) -> None:
    assert all(plan.faults[:-1] == (LATE,) for plan in with_a_death(quiet, {"dtms"}))


def test_only_what_a_loss_of_power_leaves_is_left_to_chance(quiet) -> None:
    for plan in with_a_death(quiet, {"dtms", "bot"}):
        death = plan.faults[-1].fault
        power = isinstance(death, PowerLoss) or getattr(death, "power", False)
        assert plan.choices == (None if power else {})


@pytest.fixture(scope="module")
def later() -> Judged:
    """A registration that is not the first, so that there was time to be gone."""
    scenario = SCENARIOS["registered-again"]
    return judged(Plan(scenario, 1, faults=(), decisions={}, choices={}), trail=True)


def test_a_server_that_is_killed_is_back_and_not_ready_when_a_request_arrives(later) -> None:
    kills = [
        plan for plan in with_a_death(later, {"dtms"}) if isinstance(plan.faults[-1].fault, Kill)
    ]
    statuses = {op.get("server_status") for plan in kills for op in judged(plan).played.history.ops}
    assert 503 in statuses


def test_every_death_can_be_written_down(quiet) -> None:
    for plan in with_a_death(quiet, {"dtms"}):
        assert isinstance(plan.faults[-1], Timed)
        assert decode_schedule(encode_schedule(plan.faults)) == plan.faults
