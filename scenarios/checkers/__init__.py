"""Every checker by name, and the judge that asks them. See README.md for how to add one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from scenarios.checkers.acknowledged_is_kept import acknowledged_is_kept
from scenarios.checkers.answers_have_an_order import answers_have_an_order
from scenarios.checkers.bad_input_changes_nothing import bad_input_changes_nothing
from scenarios.checkers.breaker_is_silent import breaker_is_silent
from scenarios.checkers.caller_is_never_blocked import caller_is_never_blocked
from scenarios.checkers.conflict_is_reported import conflict_is_reported
from scenarios.checkers.failure_is_honest import failure_is_honest
from scenarios.checkers.failures_are_logged_and_alerted import failures_are_logged_and_alerted
from scenarios.checkers.health_tells_the_truth import health_tells_the_truth
from scenarios.checkers.managed_by_exactly_one import managed_by_exactly_one
from scenarios.checkers.nothing_leaks import nothing_leaks
from scenarios.checkers.nothing_sent_before_ready import nothing_sent_before_ready
from scenarios.checkers.one_new_answer_per_ticket import one_new_answer_per_ticket
from scenarios.checkers.payload_arrived_as_executed import payload_arrived_as_executed
from scenarios.checkers.registered_at_most_once import registered_at_most_once
from scenarios.checkers.retry_discipline import retry_discipline
from scenarios.checkers.second_instance_exits import second_instance_exits
from scenarios.checkers.targets_keep_running import targets_keep_running
from scenarios.checkers.unprotected_time_is_bounded import unprotected_time_is_bounded
from scenarios.history import History
from scenarios.verdict import Unknown, Verdict

Checker = Callable[[History], Verdict]

CHECKERS: Mapping[str, Checker] = MappingProxyType(
    {
        checker.__name__: checker
        for checker in (
            acknowledged_is_kept,
            registered_at_most_once,
            one_new_answer_per_ticket,
            answers_have_an_order,
            failure_is_honest,
            managed_by_exactly_one,
            payload_arrived_as_executed,
            unprotected_time_is_bounded,
            caller_is_never_blocked,
            retry_discipline,
            breaker_is_silent,
            nothing_sent_before_ready,
            health_tells_the_truth,
            conflict_is_reported,
            bad_input_changes_nothing,
            failures_are_logged_and_alerted,
            nothing_leaks,
            second_instance_exits,
            targets_keep_running,
        )
    }
)


def judge(history: History, names: Iterable[str]) -> dict[str, Verdict]:
    """What each of the named checkers says; `Unknown` for a name that is none."""
    return {
        name: CHECKERS[name](history)
        if name in CHECKERS
        else Unknown(f"there is no checker {name!r}")
        for name in names
    }
