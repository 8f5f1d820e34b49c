"""Faults as values: what they refuse to be, what they need, and how they call themselves."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

import chaos.faults
from chaos import capabilities
from chaos.fault import describe, name_of
from chaos.faults import (
    AnswerFor,
    Bandwidth,
    BrokerFault,
    CorruptStore,
    CpuLimit,
    CrashAt,
    DatabaseTrouble,
    DelayAttempt,
    Disconnect,
    DiskTrouble,
    Down,
    DropAnswer,
    DropRequest,
    DuplicateRequest,
    FailFirst,
    Garbage,
    HalfOpen,
    Kill,
    Latency,
    Limit,
    ManagerFault,
    MemoryLimit,
    Pause,
    PowerLoss,
    Reset,
    Restart,
    SecondInstance,
    ServerFault,
    Slice,
    Toxify,
    Trickle,
    Truncate,
    WrongEcho,
)
from chaos.toxiproxy import toxics

LINK = "bot->dtms"
CAPABILITIES = {
    capabilities.Links,
    capabilities.Requests,
    capabilities.Processes,
    capabilities.Instances,
    capabilities.Server,
    capabilities.Toxics,
    capabilities.Broker,
    capabilities.Managers,
    capabilities.Disks,
    capabilities.Networks,
    capabilities.Resources,
    capabilities.Power,
    capabilities.Storage,
    capabilities.Points,
    capabilities.Database,
}


@pytest.mark.parametrize("name", chaos.faults.__all__)
def test_every_fault_names_the_capability_that_it_needs(name: str) -> None:
    assert getattr(chaos.faults, name).needs in CAPABILITIES


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Latency("bot", 5), 'is called like "bot->dtms"'),
        (lambda: Latency(LINK, -1), "not negative: -1 ms"),
        (lambda: Bandwidth(LINK, 0), "more than 0 bytes/s, not 0; Stall stops all bytes"),
        (lambda: Reset(LINK, -3), "cannot come 3 ms early"),
        (lambda: Slice(LINK, 0), "a byte or more, not 0"),
        (lambda: Slice(LINK, 1, -1), "gap between slices is not negative"),
        (lambda: Limit(LINK, -1), "not negative: -1 bytes"),
        (lambda: Toxify(LINK, toxics.Slicer(0)), "average_size must be 1 to"),
        (lambda: Toxify(LINK, toxics.Slicer(9, 9)), "less than the average_size of 9 bytes, not 9"),
        (lambda: Toxify(LINK, toxics.Latency(-1)), "latency must be 0 to 86400000, not -1"),
        (lambda: Toxify(LINK, toxics.Bandwidth(-1)), "rate must be 0 to"),
        (lambda: Toxify(LINK, toxics.Timeout(), toxicity=1.1), "from 0 to 1, not 1.1"),
        (lambda: Toxify("bot", toxics.Timeout()), 'is called like "bot->dtms"'),
        (lambda: Down("bot"), 'is called like "bot->dtms"'),
        (lambda: HalfOpen(""), 'is called like "bot->dtms"'),
        (lambda: DropRequest(LINK, op="enabel"), "no operation 'enabel'; there are any, close"),
        (lambda: DropRequest(LINK, how="fax"), "not lost by 'fax'"),
        (lambda: DropAnswer(LINK, how="fax"), "not lost by 'fax'"),
        (lambda: DropAnswer(LINK, probability=0), "more than 0 and at most 1, not 0"),
        (lambda: DropAnswer(LINK, probability=1.5), "more than 0 and at most 1, not 1.5"),
        (lambda: DropAnswer(LINK, attempt=-1), "count from 0; there is no attempt -1"),
        (lambda: DuplicateRequest(LINK, copies=1), "2 to 16 times, not 1"),
        (lambda: DuplicateRequest(LINK, gap_s=-1), "gap between copies is not negative"),
        (lambda: DelayAttempt(LINK, delay_s=0), "longer than 0 s, not 0"),
        (lambda: DelayAttempt(LINK, delay_s=1, part="head"), "is delayed, not 'head'"),
        (lambda: AnswerFor(LINK, status=99), "200 to 599, not 99"),
        (lambda: AnswerFor(LINK, status=503, retry_after_s=0.5), "whole number of seconds"),
        (lambda: AnswerFor(LINK, status=503, over_s=-1), "does not take -1 s"),
        (lambda: AnswerFor(LINK, status=503, headers=(("a", "b\r\n"),)), "would split the answer"),
        (lambda: FailFirst(LINK, first=0), "At least the first attempt fails, not 0"),
        (lambda: FailFirst(LINK, first=1, status=700), "200 to 599, not 700"),
        (lambda: Garbage(LINK, kind="xml"), "no garbage of kind 'xml'; there is bytes, html"),
        (lambda: Truncate(LINK, kept=1.0), "less than 1 of its body, not 1.0"),
        (lambda: Trickle(LINK, over_s=0), "longer than 0 s, not 0"),
        (lambda: WrongEcho(LINK, field=""), "needs the name of a field"),
        (lambda: Kill(""), "Kill needs the name of an actor"),
        (lambda: Kill("dtms", restart_after_s=-1), "Nothing restarts after -1 s"),
        (lambda: Restart(""), "Restart needs the name of an actor"),
        (lambda: Pause(""), "Pause needs the name of an actor"),
        (lambda: SecondInstance(""), "SecondInstance needs the name of an actor"),
        (lambda: CorruptStore(""), "CorruptStore needs the name of an actor"),
        (lambda: ServerFault("", {"fault": "x"}), "ServerFault needs the name of an actor"),
        (lambda: ServerFault("dtms", {"delay_s": 1}), "A server fault is named"),
        (lambda: BrokerFault("drunk"), "A broker is not 'drunk'; it is one of down, no_data"),
        (lambda: BrokerFault("slow", delay_s=-1), "does not answer 1 s early"),
        (lambda: Disconnect(""), "Disconnect needs the name of an actor"),
        (lambda: CpuLimit(""), "CpuLimit needs the name of an actor"),
        (lambda: CpuLimit("dtms", 0), "gets some of a processor, not 0"),
        (lambda: MemoryLimit("", 64), "MemoryLimit needs the name of an actor"),
        (lambda: MemoryLimit("dtms", 0), "has some memory to spare, not 0 MiB"),
        (lambda: PowerLoss(""), "PowerLoss needs the name of an actor"),
        (lambda: PowerLoss("dtms", restart_after_s=-1), "Nothing restarts after -1 s"),
        (lambda: DiskTrouble("", "full"), "DiskTrouble needs the name of an actor"),
        (lambda: DiskTrouble("dtms", "wet"), "A disk is not 'wet'; it is one of full, io-error"),
        (lambda: DiskTrouble("dtms", "slow", delay_s=-1), "A disk is not 1 s faster"),
        (
            lambda: DatabaseTrouble("tired"),
            "A database is not 'tired'; it is one of killed, frozen",
        ),
        (lambda: CrashAt("", "sync"), "CrashAt needs the name of an actor"),
        (lambda: CrashAt("dtms", "lunch"), "no point 'lunch'; there are write, written, sync"),
        (lambda: CrashAt("dtms", "sync", nth=-1), "count from 0; there is no time -1"),
        (lambda: CrashAt("dtms", "sync", restart_after_s=-1), "Nothing restarts after -1 s"),
        (lambda: ManagerFault("sleep"), "does not 'sleep'; modes are refuse, fail"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_in_words(make: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        make()
    assert sentence in str(refused.value)


def test_a_fault_is_called_in_histories_what_it_is() -> None:
    assert name_of(HalfOpen(LINK)) == "half-open"
    assert name_of(Kill("dtms")) == "kill"


def test_a_fault_describes_itself_with_the_fields_that_say_something() -> None:
    assert describe(DropAnswer("*->dtms", attempt=0)) == {
        "fault": "drop-answer",
        "link": "*->dtms",
        "op": "enable",
        "attempt": 0,
        "probability": 1.0,
        "how": "hang",
    }
    assert describe(Kill("dtms")) == {"fault": "kill", "actor": "dtms"}


def test_a_fault_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Kill("dtms").actor = "bot"  # type: ignore[misc]
