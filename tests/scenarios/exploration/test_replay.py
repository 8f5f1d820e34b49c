"""A case plays again alike, or the first operation that differs is named."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from scenarios.case import Case, decode_case
from scenarios.exploration.judged import judged
from scenarios.exploration.replay import replay
from scenarios.suites import SCENARIOS
from scenarios.worlds.sim.parts import REFERENCE
from scenarios.worlds.sim.play import Plan
from scenarios.zoo.planted import TIMEOUT_IS_FAILURE


@pytest.fixture(scope="module")
def case() -> Case:
    """A failure, as it comes back from a file."""
    scenario = SCENARIOS["store-fails"]
    faults = scenario.faults(Random(0))
    outcome = judged(Plan(scenario, 1, faults=faults, schedule="pct", parts=TIMEOUT_IS_FAILURE))
    assert outcome.broken
    return decode_case(outcome.case().encode())


def test_what_was_recorded_happens_again(case) -> None:
    again = replay(case)
    assert again.difference is None
    assert again.judged.played.history.digest() == case.digest
    assert again.judged.broken


def test_without_a_fault_the_first_operation_that_differs_is_where_it_was_inflicted(case) -> None:
    again = replay(replace(case, plan=replace(case.plan, faults=())))
    difference = again.difference
    assert difference is not None
    assert (difference.recorded.process, difference.recorded.f) == ("nemesis", "inflict")
    before = slice(0, difference.index)
    assert again.judged.played.history.ops[before] == case.history.ops[before]


def test_with_other_code_the_first_operation_that_differs_is_what_it_did_otherwise(case) -> None:
    difference = replay(replace(case, plan=replace(case.plan, parts=REFERENCE))).difference
    assert difference is not None
    assert difference.recorded != difference.now
    assert difference.recorded.f == difference.now.f == "register"
    assert (difference.recorded.type, difference.now.type) == ("fail", "info")


def test_a_history_that_was_shorter_differs_where_it_ended(case) -> None:
    ops = case.history.ops[:-2]
    difference = replay(
        replace(case, history=replace(case.history, ops=ops), digest="another")
    ).difference
    assert difference is not None
    assert (difference.index, difference.recorded) == (len(ops), None)
    assert difference.now is not None


def test_a_digest_that_is_not_that_of_the_history_is_a_difference_at_its_end(case) -> None:
    difference = replay(replace(case, digest="another")).difference
    assert difference is not None
    assert (difference.index, difference.recorded, difference.now) == (
        len(case.history.ops),
        None,
        None,
    )
