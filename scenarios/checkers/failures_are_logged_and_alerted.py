"""Checker: failures are logged and alerted."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from scenarios.evidence.actors import Cut, cuts, told
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

    A live service that waited to register while no connection could be made has failed as well,
    though the proxy saw nothing of it. Asks the audit of each service. Does not check: clients
    that are not `durable`, the words, what was told before a service was killed, nor "down for
    five minutes"."""
    if history.header.get("level") != "durable":
        return Unknown("only a durable client can be asked what it logged")
    policy = mapping(history.header.get("policy"))
    timeout_s, cap_s = seconds(policy.get("timeout_s")), seconds(policy.get("cap_s"))
    if timeout_s is None or cap_s is None:
        return Unknown("the history does not say how long clients wait, and how often they try")
    sends: dict[str, list[Exchange]] = {}
    for exchange in exchanges(history, "enable", "lookup", "health"):
        sends.setdefault(exchange.service, []).append(exchange)
    calls: dict[str, list[Report]] = {}
    for report in reports(history):
        calls.setdefault(report.service, []).append(report)
    asked, verdicts = audits(history), list[Verdict]()
    for service in dict.fromkeys((*sends, *calls)):
        began = max((op.index for op in told(history, "exited", service)), default=-1)
        seen = _Seen(
            service,
            [e for e in sends.get(service, []) if e.begun > began and e.ended is not None],
            [r for r in calls.get(service, []) if r.call.invoke.index > began],
            cuts(history, service),
            round(timeout_s * 1e6),
            round(cap_s * 1e6),
        )
        verdicts += _judge(seen, asked.get(service))
    return conclude(verdicts) if verdicts else Unknown("nothing failed")


@dataclass(frozen=True)
class _Seen:
    """What a service must have noticed since it last began."""

    service: str
    sends: list[Exchange]
    calls: list[Report]
    cuts: tuple[Cut, ...]
    timeout_us: int
    cap_us: int

    @property
    def failed(self) -> list[Exchange]:
        return [exchange for exchange in self.sends if exchange.failed]

    @property
    def refused(self) -> list[Report]:
        return [report for report in self.calls if report.ended == "fail"]

    @cached_property
    def waited_in_vain_us(self) -> int:
        """The longest stretch in which a call waited and no connection could be made.

        Counts only what comes after the first sign that the service was alive."""
        signs_us = [e.call.invoke.time_us for e in self.sends]
        signs_us += [r.call.completion.time_us for r in self.calls if r.call.completion]
        alive_us = min(signs_us, default=None)
        if alive_us is None:
            return 0
        return max(
            (
                min(cut.until_us, completion.time_us) - max(cut.since_us, begun_us, alive_us)
                for report in self.calls
                if (completion := report.call.completion) is not None
                for begun_us in (report.call.invoke.time_us,)
                for cut in self.cuts
            ),
            default=0,
        )

    @property
    def must_have_failed(self) -> bool:
        return self.waited_in_vain_us > self.timeout_us

    @property
    def must_have_failed_in_a_row(self) -> bool:
        """In the time of as many waits as lie between STREAK tries."""
        return self.waited_in_vain_us > self.timeout_us + (STREAK - 1) * self.cap_us


def _judge(seen: _Seen, audit: Audit | None) -> Iterator[Verdict]:
    service, failed, refused = seen.service, seen.failed, seen.refused
    if audit is None:
        if failed or refused or seen.must_have_failed:
            yield Unknown(f"{service} saw failures and was not asked what it logged")
        return
    warned = [n for n in (*audit.events, *audit.alerts) if n.level in WARNING_AND_ABOVE]
    if not warned:
        if failed or refused or seen.must_have_failed:
            evidence = (*(i for e in failed[:STREAK] for i in e.call.indices), audit.index)
            yield Invalid(f"{service} saw failures and is silent about them", evidence)
        return
    streak = _streak(seen.sends, seen.timeout_us)
    alerted = any(alert.level in ERROR_AND_ABOVE for alert in audit.alerts)
    if (streak or seen.must_have_failed_in_a_row) and not alerted:
        evidence = (*(i for e in streak for i in e.call.indices), audit.index)
        yield Invalid(f"{service} saw {STREAK} failures in a row and alerted nobody", evidence)
    warned_of = {notice.ticket for notice in warned}
    for report in refused:
        if report.ticket not in warned_of:
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
