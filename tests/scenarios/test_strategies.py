"""Strategies: what they make is accepted, what they find is small."""

import subprocess
import sys
from dataclasses import asdict
from random import Random

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from chaos.capabilities import Disks, Links, Power, Processes, Requests, Server, Storage
from chaos.notation import decode_schedule, encode_schedule
from chaos.schedule import Timed
from core.trade import normalise
from scenarios.exploration.judged import Judged, judged
from scenarios.exploration.seedling import Seedling, plan_of
from scenarios.strategies import PLAN_FAULTS_MAX, fault_plans, faults, positions, trade_data
from scenarios.zoo.planted import ACK_BEFORE_SYNC, TIMEOUT_IS_FAILURE

OFFERED = {Links, Requests, Processes, Disks, Server, Power, Storage}
LAST_S = 2.0
PLANS = fault_plans(["bot->dtms"], ["dtms", "bot"], OFFERED, LAST_S)
SCENARIO = "kill-client"
EXAMPLES_MAX = 300

quietly = settings(
    max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)


def played(plan, parts: str = "reference", seed: int = 1) -> Judged:
    told = tuple(encode_schedule(plan))
    return judged(plan_of(Seedling(SCENARIO, seed, faults=told, parts=parts)))


@quietly
@given(PLANS)
def test_the_reference_breaks_nothing_under_any_plan(plan) -> None:
    outcome = played(plan)
    assert outcome.broken == (), outcome.why


@pytest.mark.parametrize(
    "parts", [TIMEOUT_IS_FAILURE, ACK_BEFORE_SYNC], ids=lambda p: p.name.partition(":")[2]
)
def test_a_planted_bug_is_found_and_made_small(parts) -> None:
    smallest = find(
        PLANS,
        lambda plan: bool(played(plan, parts.name).broken),
        settings=settings(
            max_examples=EXAMPLES_MAX,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
        random=Random(1),
    )
    assert len(smallest) == 1
    assert played(smallest).broken == ()


@quietly
@given(PLANS)
def test_a_plan_can_be_kept_and_is_over_in_time(plan) -> None:
    assert decode_schedule(encode_schedule(plan)) == plan
    assert len(plan) <= PLAN_FAULTS_MAX
    windows = [window for one in plan if isinstance(one, Timed) for window in one.windows]
    assert all(window.start_s < LAST_S for window in windows)
    assert all(window.end_s is None or window.end_s <= LAST_S for window in windows)


def test_the_smallest_plan_is_none() -> None:
    assert find(PLANS, lambda _plan: True) == ()


def test_a_fault_shrinks_towards_early() -> None:
    smallest = find(
        faults(["bot->dtms"], ["dtms"], {Processes}, LAST_S), lambda one: isinstance(one, Timed)
    )
    assert isinstance(smallest, Timed)
    assert smallest.windows[0].start_s == 0.0


def test_nothing_is_made_that_is_not_offered() -> None:
    with pytest.raises(ValueError, match="No fault can happen"):
        faults([], [], {Links}, LAST_S)
    with pytest.raises(ValueError, match=r"within 0\.0 s"):
        fault_plans(["bot->dtms"], ["dtms"], {Links}, 0.0)


@quietly
@given(trade_data(positions(strategies=(None, "tiered"))))
def test_every_spelling_is_the_same_trade(made) -> None:
    position, given = made
    assert asdict(normalise(position.ticket, given)) == position.terms()


@quietly
@given(st.data())
def test_the_stops_of_a_position_protect_it(data) -> None:
    position = data.draw(positions())
    sign = 1 if position.direction == "BUY" else -1
    assert position.stop_loss is None or sign * (position.entry - position.stop_loss) > 0
    assert position.take_profit is None or sign * (position.take_profit - position.entry) > 0


def test_without_hypothesis_the_extra_is_named() -> None:
    script = "import sys; sys.modules['hypothesis'] = None; import scenarios.strategies"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.stderr.splitlines()[-1] == (
        "ImportError: scenarios.strategies needs Hypothesis: install dtms-lab with its extra, "
        "dtms-lab[hypothesis]"
    )
