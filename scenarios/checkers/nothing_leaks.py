"""Checker: nothing leaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from scenarios.evidence.reports import Audit, audits
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude

SLACK: Mapping[str, int] = MappingProxyType({"tasks": 1, "threads": 2, "sockets": 10, "files": 2})
"""How much more than before the first registration may be left: the connections of the pool, and
what a client starts once, on first use. A leak grows with every registration beyond that."""


def nothing_leaks(history: History) -> Verdict:
    """After settling no service holds more tasks, threads, sockets or files than SLACK above what
    it held before its first registration.

    Does not check: memory, services that were not asked, nor servers."""
    asked = audits(history)
    verdicts = [v for service, audit in asked.items() for v in _judge(service, audit)]
    return conclude(verdicts) if verdicts else Unknown("no service was asked what it holds")


def _judge(service: str, audit: Audit) -> Iterator[Verdict]:
    for kind, slack in SLACK.items():
        left = audit.leaks.get(kind)
        if left is None:
            yield Unknown(f"{service} did not say how many {kind} it holds")
        elif left > slack:
            why = f"{service} is left with {left:g} more {kind} than before, {slack} are allowed"
            yield Invalid(why, (audit.index,))
        else:
            yield Valid()
