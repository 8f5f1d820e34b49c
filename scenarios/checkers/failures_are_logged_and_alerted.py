"""Checker: failures are logged and alerted."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from scenarios.evidence.actors import told
from scenarios.evidence.exchange import Exchange, exchanges
from scenarios.evidence.reading import mapping, seconds
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
    timeout_s = seconds(mapping(history.header.get("policy")).get("timeout_s"))
    if timeout_s is None:
        return Unknown("the history does not say how long clients wait for an answer")
    told_by, timeout_us = audits(history), round(timeout_s * 1e6)
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
        verdicts += _judge(service, seen, asked, told_by.get(service), timeout_us)
    return conclude(verdicts) if verdicts else Unknown("nothing failed")


def _judge(
    service: str,
    seen: list[Exchange],
    asked: list[Report],
    audit: Audit | None,
    timeout_us: int,
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
    streak = _streak(seen, timeout_us)
    if streak and not any(alert.level in ERROR_AND_ABOVE for alert in audit.alerts):
        evidence = (*(i for e in streak for i in e.call.indices), audit.index)
        yield Invalid(f"{service} saw {STREAK} failures in a row and alerted nobody", evidence)
    for report in refused:
        if all(notice.ticket != report.ticket for notice in warned):
            why = f"{service} reported {report.ticket} as failed and logged no warning about it"
            yield Invalid(why, (*report.call.indices, audit.index), (report.ticket,))
    yield Valid()


def _streak(seen: list[Exchange], timeout_us: int) -> list[Exchange]:
    """STREAK failures that the client must have seen in a row; empty where there are none.

    A registration or lookup that was answered well, so near or so late that the client may have
    taken it in between, makes doubtful what came in a row. A probe that was answered well does
    not: registrations fail all the same."""
    failed = sorted((e for e in seen if e.failed), key=lambda e: (e.ended_us or 0, e.ended or 0))
    well_us = sorted(e.ended_us or 0 for e in seen if not e.failed and e.f != "health")
    for first in range(len(failed) - STREAK + 1):
        streak = failed[first : first + STREAK]
        begin_us = (streak[0].ended_us or 0) - NEAR_US
        end_us = max(e.noticed_us(timeout_us) for e in streak) + NEAR_US
        if bisect_left(well_us, begin_us) == bisect_right(well_us, end_us):
            return streak
    return []
