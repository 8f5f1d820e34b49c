"""Checker: failures are logged and alerted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from scenarios.evidence.actors import told
from scenarios.evidence.exchange import Exchange, exchanges
from scenarios.evidence.reports import (
    ERROR_AND_ABOVE,
    WARNING_AND_ABOVE,
    Audit,
    Report,
    audits,
    reports,
)
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude

STREAK = 3
"""Failures in a row that somebody must be told of."""
NEAR_US = 50_000
"""Answers this close together a client may have taken in another order."""


def failures_are_logged_and_alerted(history: History) -> Verdict:
    """Three failed exchanges in a row make an ERROR alert, a refusal or conflict a WARNING at
    least, and no service that saw failures is silent about them.

    Asks the audit of each service. Does not check: clients that are not `durable`, the words,
    what was told before a service was killed, nor "down for five minutes"."""
    if history.header.get("level") != "durable":
        return Unknown("only a durable client can be asked what it logged")
    told_by = audits(history)
    sends: dict[str, list[Exchange]] = {}
    for exchange in exchanges(history, "enable", "lookup", "health"):
        sends.setdefault(exchange.service, []).append(exchange)
    calls: dict[str, list[Report]] = {}
    for report in reports(history):
        calls.setdefault(report.service, []).append(report)
    verdicts: list[Verdict] = []
    for service in dict.fromkeys((*sends, *calls)):
        began = max((op.index for op in told(history, "exited", service)), default=-1)
        seen = [e for e in sends.get(service, []) if e.begun > began and e.ended is not None]
        asked = [r for r in calls.get(service, []) if r.call.invoke.index > began]
        verdicts += _judge(service, seen, asked, told_by.get(service))
    return conclude(verdicts) if verdicts else Unknown("nothing failed")


def _judge(
    service: str, seen: list[Exchange], asked: list[Report], audit: Audit | None
) -> Iterator[Verdict]:
    failed = [exchange for exchange in seen if exchange.failed]
    refused = [report for report in asked if report.ended == "fail"]
    if not failed and not refused:
        return
    if audit is None:
        yield Unknown(f"{service} saw failures and was not asked what it logged")
        return
    warned = [n for n in (*audit.events, *audit.alerts) if n.level in WARNING_AND_ABOVE]
    if not warned:
        evidence = (*(i for e in failed[:STREAK] for i in e.call.indices), audit.index)
        yield Invalid(f"{service} saw failures and is silent about them", evidence)
        return
    streak = _streak(seen)
    if streak and not any(alert.level in ERROR_AND_ABOVE for alert in audit.alerts):
        evidence = (*(i for e in streak[:STREAK] for i in e.call.indices), audit.index)
        yield Invalid(f"{service} saw {len(streak)} failures in a row and alerted nobody", evidence)
    for report in refused:
        if all(notice.ticket != report.ticket for notice in warned):
            why = f"{service} reported {report.ticket} as failed and logged no warning about it"
            yield Invalid(why, (*report.call.indices, audit.index), (report.ticket,))
    yield Valid()


def _streak(seen: list[Exchange]) -> list[Exchange]:
    """The longest run of failures that a client must have seen as one, in the order they ended.

    Failures too near a success are left out: the client may have taken them the other way round.
    So are runs of failures that were noticed later than they happened, with a success meanwhile."""
    ended = sorted(seen, key=lambda e: (e.ended_us or 0, e.ended or 0))
    longest: list[Exchange] = []
    at = 0
    while at < len(ended):
        run = list(takewhile(lambda e: e.failed, ended[at:])) if ended[at].failed else []
        at += max(1, len(run))
        if len(run) > len(longest):
            longest = run
    return longest if len(longest) >= STREAK else []
