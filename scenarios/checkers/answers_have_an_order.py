"""Checker: answers have an order."""

from __future__ import annotations

from scenarios.history import History
from scenarios.linearizability.judge import Budget
from scenarios.linearizability.verdict import judge_by
from scenarios.verdict import Verdict

BUDGET = Budget(steps=1_000_000, memory=100_000)


def answers_have_an_order(history: History) -> Verdict:
    """What the DTMS API answered about each ticket, it can have answered one by one, each answer at
    a moment between request and answer (linearizability).

    Heard or not, the answers count that it gave. What it may do by itself, such as to adopt what is
    open at the broker, may explain them too. Does not check: what the answers say of anything but
    the ticket's data and whether it is closed, nor answers that faults made up."""
    return judge_by("registration", history, BUDGET)[0]
