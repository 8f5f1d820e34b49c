"""Faults and schedules as JSON, and back."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chaos.faults
from chaos.choice import Draw
from chaos.fault import Fault
from chaos.faults import (
    AnswerFor,
    BrokerFault,
    DelayAttempt,
    DropAnswer,
    Kill,
    Latency,
    ServerFault,
    broker_fault,
    manager_fault,
)
from chaos.faults.aim import AimedAtRequests
from chaos.notation import (
    KINDS,
    decode_fault,
    decode_schedule,
    encode_fault,
    encode_schedule,
)
from chaos.request import OPS, RequestView
from chaos.schedule import Timed, after_request, at, during, every
from chaos.toxiproxy.toxics import TYPES, Slicer, Toxic
from chaos.verdict import PASS, Verdict

KILL = {"fault": "kill", "actor": "dtms"}
SECONDS = st.floats(min_value=0.001, max_value=1e6) | st.integers(min_value=1, max_value=10**6)
WORDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1, max_size=9
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "link": st.sampled_from(["bot->dtms", "*->dtms", "*->*"]),
    "op": st.sampled_from(sorted(OPS)),
    "ticket": st.none() | st.integers(0, 2**63 - 1),
    "attempt": st.none() | st.integers(0, 50),
    "probability": st.floats(min_value=0, max_value=1, exclude_min=True),
    "toxicity": st.floats(min_value=0, max_value=1),
    "kept": st.floats(min_value=0, max_value=1, exclude_max=True),
    "status": st.integers(200, 599),
    "copies": st.integers(2, 16),
    "headers": st.lists(st.tuples(WORDS, WORDS), max_size=3).map(tuple),
    "script": st.dictionaries(WORDS, JSON, max_size=3).map(lambda more: {**more, "fault": "x"}),
}
"""Fields of which not every value of their type makes sense."""
MODES = {
    "BrokerFault": st.sampled_from(broker_fault.MODES),
    "ManagerFault": st.sampled_from(manager_fault.MODES),
}


TOXICS = st.one_of(
    st.builds(Slicer, st.integers(5, 9), st.integers(0, 4)),
    *(st.builds(one, st.integers(0, 3600)) for one in TYPES.values() if one is not Slicer),
)


def value_of(kind: type, field: str, hint: Any) -> st.SearchStrategy[Any]:
    if field == "mode":
        return MODES[kind.__name__]
    if field in VALUES:
        return VALUES[field]
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    return {
        str: WORDS,
        bool: st.booleans(),
        int: st.integers(1, 2**53),
        float: SECONDS,
        float | None: st.none() | SECONDS,
        int | None: st.none() | st.integers(0, 3600),
        Toxic: TOXICS,
    }[hint]


def faults_of(kind: type) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    given = {f.name: value_of(kind, f.name, hints[f.name]) for f in fields(kind)}
    return st.fixed_dictionaries(
        {f.name: given[f.name] for f in fields(kind) if f.init and f.name in required(kind)},
        optional={name: given[name] for name in given if name not in required(kind)},
    ).map(lambda values: kind(**values))


def required(kind: type) -> set[str]:
    return {f.name for f in fields(kind) if f.default is MISSING}


any_fault = st.one_of([faults_of(kind) for kind in KINDS.values()])
schedules = st.lists(
    st.one_of(
        st.builds(at, SECONDS, any_fault),
        st.builds(lambda start, more, fault: during(start, start + more, fault),
                  st.integers(0, 99), SECONDS, any_fault),
        st.builds(lambda times, fault: every(2.0, fault, for_s=0.5, times=times),
                  st.integers(1, 5), any_fault),
        st.builds(lambda fault: Timed(fault, ()), any_fault),
        st.builds(after_request, st.integers(1, 99), any_fault,
                  for_s=st.none() | SECONDS, op=st.sampled_from(sorted(OPS))),
    ),
    max_size=4,
).map(tuple)  # fmt: skip


def test_every_fault_can_be_written() -> None:
    assert {kind.__name__ for kind in KINDS.values()} == set(chaos.faults.__all__)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_no_field_is_called_as_the_name_is(kind: type) -> None:
    assert "fault" not in {field.name for field in fields(kind)}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@given(data=st.data())
def test_a_fault_comes_back_as_it_was(kind: type, data: st.DataObject) -> None:
    fault: Fault = data.draw(faults_of(kind))
    written = encode_fault(fault)
    back = decode_fault(json.loads(json.dumps(written)))
    assert (back, type(back)) == (fault, kind)
    assert encode_fault(back) == written


@given(schedules)
def test_a_schedule_comes_back_as_it_was(schedule: Any) -> None:
    assert decode_schedule(json.loads(json.dumps(encode_schedule(schedule)))) == schedule


def test_what_is_at_its_default_is_not_written() -> None:
    assert encode_fault(DropAnswer("*->dtms")) == {"fault": "drop-answer", "link": "*->dtms"}
    assert encode_schedule([after_request(3, Kill("dtms"))]) == [
        {"fault": KILL, "after_request": 3}
    ]


def test_nothing_is_written_as_nothing_where_that_is_not_the_default() -> None:
    fault = DelayAttempt("*->dtms", attempt=None, delay_s=1)
    assert encode_fault(fault)["attempt"] is None


def test_windows_are_written_as_they_are() -> None:
    assert encode_schedule([every(1.0, Kill("dtms"), for_s=0.5, times=2)]) == [
        {"fault": KILL, "windows": [[1.0, 1.5], [2.0, 2.5]]}
    ]
    assert encode_schedule([at(3, Kill("dtms"))]) == [{"fault": KILL, "windows": [[3, None]]}]


def test_a_whole_number_stays_one() -> None:
    assert repr(decode_fault(encode_fault(Latency("a->b", 200)))) == repr(Latency("a->b", 200))


def test_pairs_come_back_as_pairs() -> None:
    fault = AnswerFor("a->b", status=503, headers=(("a", "b"), ("c", "d")))
    assert encode_fault(fault)["headers"] == [["a", "b"], ["c", "d"]]
    assert decode_fault(encode_fault(fault)) == fault


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "a schedule: Expected `array`"),
        ([5], "what is scheduled: Expected `object`"),
        ([{}], "what is scheduled needs the field 'fault'"),
        ([{"fault": "kill"}], "a fault: Expected `object`"),
        ([{"fault": {"actor": "dtms"}}], "a fault needs the field 'fault'"),
        ([{"fault": {"fault": 5}}], "the name of a fault: Expected `str`"),
        ([{"fault": {"fault": "kil"}}], "There is no fault 'kil'; there are answer-for"),
        ([{"fault": {"fault": "kill"}}], "kill needs the field 'actor'"),
        ([{"fault": {**KILL, "x": 1}}], "kill has no field 'x'"),
        ([{"fault": {**KILL, "needs": 1}}], "kill has no field 'needs'"),
        ([{"fault": {**KILL, "restart_after_s": "1"}}], "restart_after_s of kill: Expected"),
        ([{"fault": {**KILL, "restart_after_s": True}}], "restart_after_s of kill: Expected"),
        ([{"fault": {**KILL, "actor": ""}}], "Kill needs the name of an actor"),
        ([{"fault": KILL}], "what has no windows needs the field 'after_request'"),
        ([{"fault": KILL, "windows": [0, 1]}], "windows: Expected `array`"),
        ([{"fault": KILL, "windows": [[0]]}], "a beginning and an end, not [0]"),
        ([{"fault": KILL, "windows": [[None, 1]]}], "the beginning of a window: Expected"),
        ([{"fault": KILL, "windows": [[0, "1"]]}], "the end of a window: Expected"),
        ([{"fault": KILL, "windows": [[2, 1]]}], "from 2 s cannot end at 1 s"),
        ([{"fault": KILL, "windows": [[-1, None]]}], "cannot begin at -1 s"),
        ([{"fault": KILL, "windows": [], "n": 1}], "what has windows has no field 'n'"),
        ([{"fault": KILL, "after_request": 1.5}], "after_request: Expected `int`"),
        ([{"fault": KILL, "after_request": 0}], "there is no request 0"),
        ([{"fault": KILL, "after_request": 1, "op": "eat"}], "op: Invalid enum value 'eat'"),
        ([{"fault": KILL, "after_request": 1, "for_s": -1}], "does not last -1 s"),
        ([{"fault": KILL, "after_request": 1, "n": 1}], "after a request has no field 'n'"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(data: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        decode_schedule(data)
    assert sentence in str(refused.value)


def test_it_is_said_where_a_schedule_cannot_be_read() -> None:
    with pytest.raises(ValueError, match=r"^Number 1 \(from 0\) of the schedule: There is no"):
        decode_schedule([{"fault": KILL, "windows": []}, {"fault": {"fault": "kil"}}])


class Own(AimedAtRequests):
    """A fault that nobody else knows."""

    def hit(self, request: RequestView, nth: int, draw: Draw) -> Verdict:
        return PASS


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Own("a->b"), "is none of the faults"),
        (ServerFault("dtms", {"fault": "x", "n": (1,)}), "would not come back as it is"),
        (ServerFault("dtms", {"fault": "x", "n": object()}), "script of server-fault cannot be"),
        (ServerFault("dtms", {"fault": "x", "n": float("nan")}), "would not come back as it is"),
        (BrokerFault("slow", float("inf")), "delay_s of broker-fault: Expected `float`"),
        (Latency("a->b", 5, direction="sideways"), "direction of latency: Invalid enum value"),  # type: ignore[arg-type]
    ],
)
def test_what_would_not_come_back_is_not_written(fault: Fault, sentence: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        encode_schedule([at(0.0, fault)])
    assert sentence in str(refused.value)
