"""Checker: failure is honest."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.evidence.actors import Restorations
from scenarios.evidence.exchange import Exchange, exchanges
from scenarios.evidence.final import Final
from scenarios.evidence.positions import Position, executed, maybe_closed
from scenarios.evidence.reports import Report, reports, reports_by_ticket
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude


def failure_is_honest(history: History) -> Verdict:
    """What a client reported as not registered was not registered by it, and is not there.

    A conflict says that another payload is there: then it must be another. Where several may have
    registered the trade, only a registration that the wire shows is held against a report. Does
    not check: that a failure was reported where one was due."""
    told = [report for report in reports(history) if report.call.completion is not None]
    if not told:
        return Unknown("no registration came to its end")
    failures = [report for report in told if report.ended == "fail"]
    if not failures:
        return Valid()
    final = Final.of(history)
    if final.read is None:
        return Unknown("what the server holds at the end was not read")
    tries: dict[int, list[Exchange]] = {}
    for exchange in exchanges(history, "enable"):
        if exchange.ticket is not None:
            tries.setdefault(exchange.ticket, []).append(exchange)
    by_ticket, positions = reports_by_ticket(history), executed(history)
    restorations = Restorations.of(history)
    closed = maybe_closed(history)
    return conclude(
        _judge(
            _Case(
                report,
                others=[r for r in by_ticket[report.ticket] if r is not report],
                tries=tries.get(report.ticket, []),
                final=final,
                position=positions.get(report.ticket),
                restorable=restorations.possible(positions.get(report.ticket)),
                closed=report.ticket in closed,
            )
        )
        for report in failures
    )


@dataclass(frozen=True, slots=True)
class _Case:
    """A failure that was reported, and what else is known of its ticket."""

    report: Report
    others: list[Report]
    tries: list[Exchange]
    final: Final
    position: Position | None
    restorable: bool
    closed: bool

    @property
    def own_tries(self) -> list[Exchange]:
        report = self.report
        return [e for e in self.tries if e.service == report.service and report.spans(e.begun)]

    @property
    def others_may_have(self) -> bool:
        """Whether the trade can be there without this call's doing."""
        failed = [r for r in (self.report, *self.others) if r.ended == "fail"]
        return (
            self.restorable
            or len(failed) <= len(self.others)
            or any(
                e.maybe_carried_out
                and not any(r.service == e.service and r.spans(e.begun) for r in failed)
                for e in self.tries
            )
        )


def _judge(case: _Case) -> Verdict:
    report, ticket = case.report, case.report.ticket
    presence = case.final.presence(ticket)
    if presence in ("unread", "unreadable"):
        return Unknown(f"{ticket} was reported as not registered and never read back")
    evidence = (*report.call.indices, *case.final.indices[:1])
    if report.conflict:
        held = case.final.terms(ticket)
        if held is None or report.terms is None or not held.same(report.terms) or case.restorable:
            return Valid()
        why = f"{ticket} was reported as a conflict, and what is there is what was given"
        return Invalid(why, evidence, (ticket,))
    if case.closed or not case.final.there(ticket):
        return Valid()
    for exchange in case.own_tries:
        if exchange.server is not None and exchange.server.registered:
            why = f"{ticket} was reported as not registered, and is there"
            return Invalid(why, (*evidence, *exchange.call.indices), (ticket,))
    if case.others_may_have:
        return Valid()
    return Invalid(f"{ticket} was reported as not registered, and is there", evidence, (ticket,))
