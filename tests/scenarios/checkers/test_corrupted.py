"""Histories that were played, with one event corrupted: an entitled checker must say so."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
import pytest

from chaos.nemesis import NotOffered
from scenarios.checkers import CHECKERS
from scenarios.checkers.registered_at_most_once import new_answers
from scenarios.evidence.final import Final
from scenarios.evidence.positions import maybe_closed
from scenarios.evidence.reports import reports
from scenarios.history import History, Op
from scenarios.suites import SCENARIOS
from scenarios.verdict import Invalid
from scenarios.worlds.sim.play import Plan, play

Corruption = Callable[[History], Iterator[History]]
PER_HISTORY = 2
"""Of each kind so many places of a history are corrupted, each by itself."""


def corrupted(history: History, op: Op, change: Callable[[Any], None], **fields: Any) -> History:
    """The history with another value, and other fields, of this one operation."""
    value = copy.deepcopy(op.value)
    change(value)
    other = msgspec.structs.replace(op, value=value, **fields)
    return History(tuple(other if known is op else known for known in history.ops))


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


CLAIMED_BY: Mapping[Corruption, frozenset[str]] = {
    a_committed_row_is_dropped: frozenset({"acknowledged_is_kept"}),
    a_trade_is_closed_by_nobody: frozenset({"acknowledged_is_kept"}),
    _multiplies("volume", 2): frozenset({"payload_arrived_as_executed"}),
    _multiplies("entry_price", 1.0001): frozenset({"payload_arrived_as_executed"}),
    already_becomes_new: frozenset({"registered_at_most_once", "answers_have_an_order"}),
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
}
"""Who must say that it is invalid: one of these at least."""


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


@pytest.mark.parametrize("corruption", CLAIMED_BY, ids=lambda c: c.__name__)
def test_a_corrupted_event_is_noticed(corruption):
    unnoticed, tried = [], 0
    for name, history in played().items():
        for number, (bad, _) in enumerate(
            zip(corruption(history), range(PER_HISTORY), strict=False)
        ):
            tried += 1
            said = {checker: judge(bad) for checker, judge in CHECKERS.items()}
            verdicts = [said[claims] for claims in CLAIMED_BY[corruption]]
            if not any(isinstance(verdict, Invalid) for verdict in verdicts):
                unnoticed.append((name, number, verdicts))
    assert tried
    assert unnoticed == []
