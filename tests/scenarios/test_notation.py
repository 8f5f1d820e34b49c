"""What scenarios do and inflict can be written down and read back."""

from __future__ import annotations

import json
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.notation import decode_schedule, encode_schedule
from scenarios.bad_input import BAD_BODIES
from scenarios.notation import OPERATIONS, decode_lanes, encode_lanes
from scenarios.suites import SCENARIOS
from scenarios.workload import (
    BadInput,
    Close,
    ClosePosition,
    Execute,
    Lane,
    Operation,
    Position,
    Register,
    Spelling,
    Via,
    Wait,
)

POSITION = Position(1001, "EURUSD", "BUY", 1.1, 0.1, 1.0, None)
LANE = Lane("bot", 0.5, (Execute(POSITION), Register(POSITION)))

prices = st.floats(allow_nan=False, allow_infinity=False)
seconds = st.floats(0, allow_infinity=False)
tickets = st.integers(1, 2**63 - 1)
positions = st.builds(
    Position,
    tickets,
    st.text(),
    st.sampled_from(("BUY", "SELL")),
    prices,
    prices,
    st.none() | prices,
    st.none() | prices,
    st.none() | st.text(),
)
operations = st.one_of(
    st.builds(Execute, positions),
    st.builds(
        Register, positions, st.sampled_from(get_args(Via)), st.sampled_from(get_args(Spelling))
    ),
    st.builds(Close, tickets),
    st.builds(ClosePosition, tickets),
    st.builds(Wait, seconds),
    st.builds(BadInput, st.sampled_from(sorted(BAD_BODIES))),
)
lanes = st.builds(Lane, st.text(), seconds, st.lists(operations).map(tuple))


def written(data: object) -> object:
    """As it comes back from a file."""
    return json.loads(json.dumps(data))


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("seed", range(3))
def test_the_faults_of_every_scenario_come_back_as_they_were(name: str, seed: int) -> None:
    faults = SCENARIOS[name].faults(Random(seed))
    assert decode_schedule(json.loads(json.dumps(encode_schedule(faults)))) == faults


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_lanes_of_every_scenario_come_back_as_they_were(name: str) -> None:
    made = SCENARIOS[name].workload(Random(1))
    assert decode_lanes(written(encode_lanes(made))) == made


@given(st.lists(lanes, max_size=4).map(tuple))
def test_any_lanes_come_back_as_they_were(made) -> None:
    assert decode_lanes(written(encode_lanes(made))) == made


def test_every_operation_has_a_name() -> None:
    assert set(OPERATIONS.values()) == set(get_args(Operation))


def test_a_lane_is_an_object_with_its_operations_by_name() -> None:
    assert encode_lanes((Lane("bot", 0.5, (Wait(2.0), Close(7))),)) == [
        {
            "service": "bot",
            "at_s": 0.5,
            "operations": [{"op": "wait", "for_s": 2.0}, {"op": "close", "ticket": 7}],
        }
    ]


def lane_with(*operations: object, **changed: object) -> object:
    return [{"service": "bot", "at_s": 0.0, "operations": list(operations), **changed}]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "lanes are a list, not dict"),
        (None, "lanes are a list, not NoneType"),
        ([7], "a lane has service, at_s and operations; this is 7"),
        ([{"service": "bot"}], "a lane has service, at_s and operations"),
        (lane_with(more=1), "a lane has service, at_s and operations"),
        (lane_with(operations={}), "the operations of a lane are a list"),
        (lane_with(service=7), "Expected `str`, got `int`"),
        (lane_with(at_s="soon"), "Expected `float`, got `str`"),
        (lane_with(at_s=-1.0), "a lane cannot begin at -1.0 s"),
        (lane_with(at_s=float("inf")), "a lane cannot begin at inf s"),
        (lane_with({"op": "wait", "for_s": float("nan")}), "wait: nobody waits for nan s"),
        (lane_with("wait"), "there is no operation None; there are execute, register, close"),
        (lane_with({"op": "fly"}), "there is no operation 'fly'"),
        (lane_with({"op": ["wait"]}), "there is no operation ['wait']"),
        (lane_with({"op": "wait", "for_s": 1.0, "why": ""}), "wait has no why"),
        (lane_with({"op": "wait"}), "wait: Object missing required field `for_s`"),
        (lane_with({"op": "close", "ticket": "7"}), "close: Expected `int`, got `str`"),
        (lane_with({"op": "bad-input", "case": "worse"}), "bad-input: there is no case 'worse'"),
        (lane_with({"op": "register", "position": {}}), "register: Object missing required field"),
    ],
)
def test_what_are_no_lanes_is_refused_in_words(data, sentence) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the sentence is what counts
        decode_lanes(data)
    assert sentence in str(refused.value)


def test_a_registration_by_a_way_that_there_is_not_is_refused() -> None:
    (told,) = encode_lanes((LANE,))
    told["operations"][1]["via"] = "pigeon"  # type: ignore[index]
    with pytest.raises(ValueError, match="register: Invalid enum value 'pigeon'"):
        decode_lanes([told])
