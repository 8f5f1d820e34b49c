"""Which checkers a test's history has something for: what a client of level `helper` owes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from scenarios.checkers.registered_at_most_once import new_answers
from scenarios.episode import NEED_AUDIT
from scenarios.evidence.actors import SERVER, down
from scenarios.evidence.exchange import deliveries, exchanges
from scenarios.evidence.final import Final
from scenarios.evidence.positions import executed, maybe_closed
from scenarios.evidence.reports import reports
from scenarios.history import History
from scenarios.suites.promises import REGISTERED

RIDES_OUT_S = 5.0
"""An outage that a helper rides out. After a longer one it may have given up, and owes honesty."""

HELPER = tuple(name for name in REGISTERED if name not in NEED_AUDIT)
"""What a helper owes wherever trades are registered as they were executed."""


def owed(history: History) -> tuple[str, ...]:
    """Those of HELPER that have at least one case in the history, in their order."""
    return tuple(name for name in HELPER if _HAS_A_CASE[name](history))


def longest_outage_s(history: History) -> float:
    """The longest stretch in which some fault was in force, or the server was away."""
    ended: list[tuple[int, int]] = []
    undone = list(history.notes("undo", "nemesis"))
    for fault in history.notes("inflict", "nemesis"):
        undo = next((u for u in undone if u.index > fault.index and u.value == fault.value), None)
        if undo is not None:
            undone.remove(undo)
        ended.append((fault.time_us, history.end_us if undo is None else undo.time_us))
    for stretch in down(history, SERVER):
        until_us = history.end_us if stretch.until is None else stretch.until.time_us
        ended.append((stretch.after.time_us, until_us))
    return _longest_us(ended) / 1e6


def _longest_us(stretches: list[tuple[int, int]]) -> int:
    """Of the union of all."""
    longest = since = until = 0
    for begin, end in sorted(stretches):
        if begin > until:
            since = begin
        until = max(until, end)
        longest = max(longest, until - since)
    return longest


def _reported(history: History) -> bool:
    return bool(reports(history))


def _came_back(history: History) -> bool:
    return any(report.call.completion is not None for report in reports(history))


def _acknowledged(history: History) -> bool:
    return any(report.ended == "ok" for report in reports(history))


def _at_risk(history: History) -> bool:
    closed = maybe_closed(history)
    left = (t for t, p in executed(history).items() if t not in closed and p.strategy is None)
    return any(True for _ticket in left) and longest_outage_s(history) <= RIDES_OUT_S


def _executed_is_there(history: History) -> bool:
    trades = Final.of(history).trades
    return any(isinstance(trades.get(ticket), dict) for ticket in executed(history))


def _registered(history: History) -> bool:
    final = Final.of(history)
    return bool(new_answers(history)) or any(map(final.there, final.trades))


def _answered_yes(history: History) -> bool:
    answers = (e.server for e in deliveries(history, "enable") if e.ticket is not None)
    return any(answer is not None and answer.registered for answer in answers)


def _read_back(history: History) -> bool:
    return bool(Final.of(history).trades)


def _sent(history: History) -> bool:
    return any(exchange.ticket is not None for exchange in exchanges(history, "enable"))


_HAS_A_CASE: Mapping[str, Callable[[History], bool]] = MappingProxyType(
    {
        "acknowledged_is_kept": _acknowledged,
        "registered_at_most_once": _registered,
        "one_new_answer_per_ticket": _answered_yes,
        "answers_have_an_order": _read_back,
        "failure_is_honest": _came_back,
        "payload_arrived_as_executed": _executed_is_there,
        "unprotected_time_is_bounded": _at_risk,
        "caller_is_never_blocked": _reported,
        "retry_discipline": _sent,
    }
)
