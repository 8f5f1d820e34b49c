"""Faults by the names and values that a test gives."""

from __future__ import annotations

import pytest

from chaos.capabilities import Links, Requests
from chaos.faults import DropAnswer, Kill, Latency
from chaos.notation import KINDS
from scenarios.stand.named_fault import FaultUnknown, named_fault, takes

ALL = frozenset(kind.needs for kind in KINDS.values())


def test_link_and_server_need_not_be_said() -> None:
    assert named_fault("DropAnswer", {"attempt": 0}, ALL) == DropAnswer("*->dtms", attempt=0)
    assert named_fault("drop-answer", {"link": "a->dtms"}, ALL) == DropAnswer("a->dtms")
    assert named_fault("Kill", {}, ALL) == Kill("dtms")
    assert named_fault("Latency", {"latency_ms": 5}, ALL) == Latency("*->dtms", 5)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("Latensy", {}, "There is no fault 'Latensy'. Did you mean Latency? There are: AnswerFor"),
        ("zzz", {}, "There is no fault 'zzz'. There are: AnswerFor, "),
        ("Kill", {}, "Kill needs Processes, which this server does not offer. There are: Answer"),
        ("Latency", {}, "latency needs the field 'latency_ms'. Latency takes link: str = "),
        ("Latency", {"ms": 5}, "Latency has no value 'ms'. Latency takes link: str = '*->dtms'; "),
        ("Stall", {"direction": "left"}, "direction: 'up' | 'down' | 'both' = 'both'."),
        ("DropAnswer", {"attempt": -1}, "Attempts count from 0; there is no attempt -1. DropAnsw"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(name, values, words) -> None:
    with pytest.raises(FaultUnknown) as refused:
        named_fault(name, values, {Links, Requests})
    assert words in str(refused.value)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_every_fault_can_say_what_it_takes(kind) -> None:
    assert takes(kind).startswith(f"{kind.__name__} takes ")
    assert "typing" not in takes(kind)
