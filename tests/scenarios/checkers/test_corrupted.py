"""Histories that were played, with one event corrupted or moved: who is entitled must say so."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from chaos.nemesis import NotOffered
from scenarios.checkers import CHECKERS, judge
from scenarios.checkers.registered_at_most_once import new_answers
from scenarios.evidence.actors import CRASHES, told
from scenarios.evidence.exchange import Exchange, exchanges
from scenarios.evidence.final import Final
from scenarios.evidence.positions import executed, maybe_closed
from scenarios.evidence.reports import reports
from scenarios.history import Call, History, Op
from scenarios.suites import SCENARIOS
from scenarios.verdict import Invalid
from scenarios.worlds.sim.play import Plan, play

Corruption = Callable[[History], Iterator[History]]
PER_HISTORY = 2
"""Of each kind so many places of a history are corrupted, each by itself."""
NOTICED_US = 60_000
"""When a client has certainly noticed an answer, counted from its end."""
LANES = ("wire/98", "wire/99")
"""In which nothing was played."""


def corrupted(history: History, op: Op, change: Callable[[Any], None], **fields: Any) -> History:
    """The history with another value, and other fields, of this one operation."""
    value = copy.deepcopy(op.value)
    change(value)
    other = msgspec.structs.replace(op, value=value, **fields)
    return History(tuple(other if known is op else known for known in history.ops))


def in_order(ops: Iterable[Op]) -> History:
    """As they are timed; of those at the same time the first given first."""
    timed = enumerate(sorted(ops, key=lambda op: op.time_us))
    return History(tuple(msgspec.structs.replace(op, index=index) for index, op in timed))


def again(call: Call, time_us: int, lane: str = LANES[0]) -> tuple[Op, Op]:
    """The same exchange, begun at this time."""
    assert call.completion is not None
    later_us = time_us - call.invoke.time_us
    first, last = (
        msgspec.structs.replace(op, process=lane, time_us=op.time_us + later_us)
        for op in (call.invoke, call.completion)
    )
    return first, last


def moved(history: History, call: Call, time_us: int) -> History:
    """The exchange begins at this time instead."""
    others = [op for op in history.ops if op.index not in call.indices]
    return in_order([*others, *again(call, time_us)])


def ended(history: History, f: str, process: str = "") -> Iterator[Op]:
    """Completions and notes of this kind that ended well and have a value."""
    for op in history.ops:
        if op.type == "ok" and op.f == f and op.process.startswith(process) and op.value:
            yield op


def stored(history: History) -> Iterator[tuple[Op, int]]:
    """Trades that were read at the end, that nobody closed and no other manager has."""
    final = Final.of(history)
    for ticket in final.trades:
        open_here = final.presence(ticket) == "active" and not final.elsewhere(ticket)
        if final.read is not None and open_here and ticket not in maybe_closed(history):
            yield final.read, ticket


def a_committed_row_is_dropped(history: History) -> Iterator[History]:
    told = {r.ticket for r in reports(history) if r.ended == "ok" and not r.accepted_only}
    for read, ticket in stored(history):
        if ticket in told:
            yield corrupted(history, read, lambda v, t=ticket: v.update({str(t): None}))


def _multiplies(name: str, factor: float) -> Corruption:
    def corruption(history: History) -> Iterator[History]:
        for read, ticket in stored(history):

            def change(value: Any, ticket: int = ticket) -> None:
                value[str(ticket)]["trade_info"][name] *= factor

            yield corrupted(history, read, change)

    corruption.__name__ = f"another_{name}_is_stored"
    return corruption


def a_trade_is_closed_by_nobody(history: History) -> Iterator[History]:
    told = {r.ticket for r in reports(history) if r.ended == "ok" and not r.accepted_only}
    for read, ticket in stored(history):
        if ticket in told:
            yield corrupted(history, read, lambda v, t=ticket: v[str(t)].update(state="CLOSED"))


def already_becomes_new(history: History) -> Iterator[History]:
    new = new_answers(history)
    for op in ended(history, "enable", "wire"):
        body = op.get("body")
        if (
            op.ticket in new
            and op.get("fault") is None
            and isinstance(body, dict)
            and body.get("already_registered")
        ):
            yield corrupted(history, op, lambda v: v["body"].update(already_registered=False))


def success_is_told_as_failure(history: History) -> Iterator[History]:
    for call in history.calls("register"):
        op = call.completion
        sole = sum(other.ticket == call.ticket for other in history.calls("register")) == 1
        stays = call.ticket not in maybe_closed(history)
        if op is not None and op.type == "ok" and sole and stays and call.get("via") != "auto":
            yield corrupted(history, op, lambda _v: None, type="fail")


def a_call_raises(history: History) -> Iterator[History]:
    for call in history.calls("register"):
        if (op := call.completion) is not None and op.type == "ok":
            yield corrupted(history, op, lambda _v: None, type="info", error="raised KeyError: 1")


def readiness_is_made_up(history: History) -> Iterator[History]:
    for op in ended(history, "health", "auditor"):
        if op.get("status_code") == 200 and isinstance(op.get("body"), dict):
            yield corrupted(history, op, lambda v: v.update(status_code=503))


def a_manager_is_forgotten(history: History) -> Iterator[History]:
    op, closed = next(reversed([*ended(history, "who-manages")]), None), maybe_closed(history)
    for ticket, name in op.value.items() if op is not None else ():
        if name and int(ticket) not in closed:
            yield corrupted(history, op, lambda v, t=ticket: v.update({t: ""}))


def the_universal_manager_has_one_twice(history: History) -> Iterator[History]:
    for op in [*ended(history, "universal")][-1:]:
        yield corrupted(history, op, lambda v: v.append(v[0]))


def a_service_leaks(history: History) -> Iterator[History]:
    for op in ended(history, "audit"):
        if op.get("leaks"):
            yield corrupted(history, op, lambda v: v["leaks"].update(tasks=40))


def bad_input_is_let_through(history: History) -> Iterator[History]:
    for op in ended(history, "bad-input"):
        yield corrupted(history, op, lambda v: v.update(status=200))


def a_second_instance_ends_well(history: History) -> Iterator[History]:
    for op in ended(history, "exited", "world"):
        if str(op.get("actor")).startswith("dtms-"):
            yield corrupted(history, op, lambda v: v.update(exit_status=0))


def a_conflict_is_told_as_success(history: History) -> Iterator[History]:
    for call in history.calls("register"):
        op = call.completion
        if op is not None and op.type == "fail" and str(op.get("reason")).startswith("conflict"):
            yield corrupted(history, op, lambda v: v.update(reason=None), type="ok")


def a_warning_is_not_logged(history: History) -> Iterator[History]:
    """Nothing is told by a service that reported a failure."""
    failed = {report.service for report in reports(history) if report.ended == "fail"}
    for op in ended(history, "audit"):
        if op.service in failed and op.get("events"):
            yield corrupted(history, op, lambda v: v.update(events=[], alerts=[]))


def a_look_up_misses_what_is_there(history: History) -> Iterator[History]:
    """One that began after the ticket was answered as new."""
    new, closed = new_answers(history), maybe_closed(history)
    nothing = {"status": 404, "server_status": 404, "body": {}, "server_body": {}}
    for call in history.calls("lookup"):
        first, op = new.get(call.ticket or 0, [None])[0], call.completion
        if first is None or first.ended is None or op is None or call.ticket in closed:
            continue
        if first.ended < call.invoke.index and op.type == "ok" and call.get("status") == 200:
            yield corrupted(history, op, lambda v: v.update(nothing))


def a_registration_comes_too_late(history: History) -> Iterator[History]:
    """All that comes from its first request on is delayed by the bound."""
    healed, bounds = history.phase("healed"), history.header["bounds"]
    closed, sends = maybe_closed(history), exchanges(history, "enable")
    for ticket, position in executed(history).items():
        first = next((send for send in sends if send.ticket == ticket), None)
        if first is None or healed is None or position.strategy or ticket in closed:
            continue
        begun = first.call.invoke
        since = max(healed, position.op, key=lambda op: op.index)
        taken_over = any(op.index > position.op.index for op in told(history, "ready", "dtms"))
        if begun.index > since.index and not taken_over:
            by_us = round(bounds["unprotected_s"] * 1e6) + since.time_us - begun.time_us + 1
            yield in_order(
                msgspec.structs.replace(op, time_us=op.time_us + by_us * (op.index >= begun.index))
                for op in history.ops
            )


def a_retry_comes_before_its_time(history: History) -> Iterator[History]:
    for service, ticket in {(send.service, send.ticket) for send in exchanges(history, "enable")}:
        sends = [
            send
            for send in exchanges(history, "enable")
            if (send.service, send.ticket) == (service, ticket)
        ]
        for before, after in pairwise(sends):
            asked_s, ended_us = before.retry_after_s, before.ended_us
            if asked_s and ended_us is not None and before.status != 200:
                yield moved(history, after.call, ended_us)


def failures_in_a_row(history: History) -> Iterator[tuple[Exchange, ...]]:
    """As many as open a breaker, each delivered, with no other answer among them or soon after."""
    threshold = history.header["policy"]["breaker_threshold"]
    for service in {send.service for send in exchanges(history)}:
        ended = [s for s in exchanges(history) if s.service == service and s.ended is not None]
        ended.sort(key=lambda send: send.ended)
        for first in range(len(ended) - threshold):
            row = ended[first : first + threshold]
            soon = [s for s in ended if 0 <= s.ended_us - row[-1].ended_us <= 3 * NOTICED_US]
            if all(s.failed for s in soon) and all(s.status and s.failed for s in row):
                yield tuple(row)


def it_knocks_while_the_breaker_is_open(history: History) -> Iterator[History]:
    """Twice: one may probe."""
    for row in failures_in_a_row(history):
        opened_us = row[-1].ended_us + NOTICED_US
        knocks = [op for lane in LANES for op in again(row[-1].call, opened_us, lane)]
        yield in_order([*history.ops, *knocks])


def a_registration_is_sent_before_ready(history: History) -> Iterator[History]:
    """One that the server did not take: what it took shows that it was ready."""
    started = told(history, "start", "dtms")
    for send in exchanges(history, "enable"):
        if started and send.server is not None and send.server.status != 200:
            yield moved(history, send.call, started[0].time_us)


def a_kill_is_not_the_labs(history: History) -> Iterator[History]:
    crashed = any(op.get("fault") in CRASHES for op in history.notes("inflict", "nemesis"))
    for actor in () if crashed else ("dtms", "bot", "desktop"):
        for kill in told(history, "kill", actor):
            yield in_order(op for op in history.ops if op is not kill)


CLAIMED_BY: Mapping[Corruption, frozenset[str]] = {
    a_committed_row_is_dropped: frozenset({"acknowledged_is_kept"}),
    a_trade_is_closed_by_nobody: frozenset({"acknowledged_is_kept"}),
    _multiplies("volume", 2): frozenset({"payload_arrived_as_executed"}),
    _multiplies("entry_price", 1.0001): frozenset({"payload_arrived_as_executed"}),
    already_becomes_new: frozenset(
        {"registered_at_most_once", "one_new_answer_per_ticket", "answers_have_an_order"}
    ),
    success_is_told_as_failure: frozenset({"failure_is_honest"}),
    a_call_raises: frozenset({"caller_is_never_blocked"}),
    readiness_is_made_up: frozenset({"health_tells_the_truth"}),
    a_manager_is_forgotten: frozenset({"managed_by_exactly_one"}),
    the_universal_manager_has_one_twice: frozenset({"registered_at_most_once"}),
    a_service_leaks: frozenset({"nothing_leaks"}),
    bad_input_is_let_through: frozenset({"bad_input_changes_nothing"}),
    a_second_instance_ends_well: frozenset({"second_instance_exits"}),
    a_warning_is_not_logged: frozenset({"failures_are_logged_and_alerted"}),
    a_look_up_misses_what_is_there: frozenset({"answers_have_an_order"}),
    a_conflict_is_told_as_success: frozenset({"conflict_is_reported"}),
    a_registration_comes_too_late: frozenset({"unprotected_time_is_bounded"}),
    a_retry_comes_before_its_time: frozenset({"retry_discipline"}),
    it_knocks_while_the_breaker_is_open: frozenset({"breaker_is_silent"}),
    a_registration_is_sent_before_ready: frozenset({"nothing_sent_before_ready"}),
    a_kill_is_not_the_labs: frozenset({"targets_keep_running"}),
}
"""Who must say that it is invalid: each of these."""


@cache
def played() -> Mapping[str, History]:
    """Every scenario that the simulation can suffer, once."""
    histories: dict[str, History] = {}
    for name, scenario in SCENARIOS.items():
        try:
            histories[name] = play(Plan(scenario, seed=1)).history
        except NotOffered:
            continue
    return histories


def test_every_checker_must_notice_a_corruption():
    assert frozenset().union(*CLAIMED_BY.values()) == set(CHECKERS)


def test_what_was_played_is_noticed_by_nobody():
    for name, history in played().items():
        assert in_order(history.ops) == history, name
        asked = judge(history, SCENARIOS[name].checkers)
        assert [c for c, verdict in asked.items() if isinstance(verdict, Invalid)] == [], name


@pytest.mark.parametrize("corruption", CLAIMED_BY, ids=lambda c: c.__name__)
def test_a_corrupted_event_is_noticed(corruption):
    unnoticed, tried = [], 0
    for name, history in played().items():
        for number, (bad, _) in enumerate(
            zip(corruption(history), range(PER_HISTORY), strict=False)
        ):
            tried += 1
            said = judge(bad, CHECKERS)
            unnoticed += [
                (name, number, checker, said[checker])
                for checker in CLAIMED_BY[corruption]
                if not isinstance(said[checker], Invalid)
            ]
    assert tried
    assert unnoticed == []
