"""Which checkers go together: what every registration owes, and what each kind of trouble adds."""

from __future__ import annotations

REGISTERED = (
    "acknowledged_is_kept",
    "registered_at_most_once",
    "one_new_answer_per_ticket",
    "answers_have_an_order",
    "failure_is_honest",
    "payload_arrived_as_executed",
    "unprotected_time_is_bounded",
    "caller_is_never_blocked",
    "retry_discipline",
    "nothing_leaks",
)
"""Holds wherever trades are executed and registered as they were executed."""

CRASHED = tuple(name for name in REGISTERED if name != "nothing_leaks")
"""The same where services are killed: a process that is gone has nothing to show."""

NOTICED = ("failures_are_logged_and_alerted",)
"""Where sends fail three times and more: somebody must be told."""
