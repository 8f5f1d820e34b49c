"""Checker: failure is honest."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

from scenarios.evidence.actors import Restorations
from scenarios.evidence.exchange import Exchange, registering
from scenarios.evidence.final import Final
from scenarios.evidence.positions import executed, maybe_closed
from scenarios.evidence.reports import Report, reports, reports_by_ticket
from scenarios.evidence.spans import Spans
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
    tries = registering(history)
    by_ticket, positions = reports_by_ticket(history), executed(history)
    restorations, closed = Restorations.of(history), maybe_closed(history)
    verdicts: list[Verdict] = []
    for ticket in dict.fromkeys(report.ticket for report in failures):
        case = _Case(
            ticket,
            calls=by_ticket[ticket],
            tries=tries.get(ticket, []),
            final=final,
            restorable=restorations.possible(positions.get(ticket)),
            closed=ticket in closed,
        )
        verdicts += [_judge(report, case) for report in case.failed]
    return conclude(verdicts)


@dataclass(frozen=True)
class _Case:
    """A ticket about which a failure was reported, and what else is known of it."""

    ticket: int
    calls: list[Report]
    tries: list[Exchange]
    final: Final
    restorable: bool
    closed: bool

    @cached_property
    def failed(self) -> list[Report]:
        return [report for report in self.calls if report.ended == "fail"]

    @cached_property
    def others_may_have(self) -> bool:
        """Whether the trade can be there without the doing of a call that reported failure."""
        if (self.restorable and not self._only_universal) or len(self.failed) < len(self.calls):
            return True
        spans = {
            service: Spans(r.call for r in self.failed if r.service == service)
            for service in {r.service for r in self.failed}
        }
        return any(
            e.maybe_carried_out
            and not (e.service in spans and spans[e.service].any_open_at(e.begun))
            for e in self.tries
        )

    @property
    def _only_universal(self) -> bool:
        """Only the Universal Manager has it: no recovery of the DTMS API hands it a trade."""
        universal = self.final.universal or ()
        return self.final.presence(self.ticket) != "active" and self.ticket in universal

    @cached_property
    def _registered_at(self) -> dict[str, list[tuple[int, Exchange]]]:
        """Exchanges in which the server registered the ticket, in order, by service."""
        found: dict[str, list[tuple[int, Exchange]]] = {}
        for exchange in self.tries:
            if exchange.server is not None and exchange.server.registered:
                found.setdefault(exchange.service, []).append((exchange.begun, exchange))
        return found

    def registered_by(self, report: Report) -> Exchange | None:
        """The exchange by which the call registered the ticket, if the wire shows one."""
        done = self._registered_at.get(report.service, [])
        place = bisect_right(done, report.call.invoke.index, key=itemgetter(0))
        if place < len(done) and report.spans(done[place][0]):
            return done[place][1]
        return None


def _judge(report: Report, case: _Case) -> Verdict:
    ticket, final = case.ticket, case.final
    presence = final.presence(ticket)
    if presence in ("unread", "unreadable"):
        return Unknown(f"{ticket} was reported as not registered and never read back")
    evidence = (*report.call.indices, *final.indices[:1])
    if report.conflict:
        held = final.terms(ticket)
        if held is None or report.terms is None or not held.same(report.terms) or case.restorable:
            return Valid()
        why = f"{ticket} was reported as a conflict, and what is there is what was given"
        return Invalid(why, evidence, (ticket,))
    if case.closed or not final.there(ticket):
        return Valid()
    exchange = case.registered_by(report)
    if exchange is None and case.others_may_have:
        return Valid()
    shown = exchange.call.indices if exchange is not None else ()
    why = f"{ticket} was reported as not registered, and is there"
    return Invalid(why, (*evidence, *shown), (ticket,))
