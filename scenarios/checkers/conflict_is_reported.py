"""Checker: conflict is reported."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from scenarios.evidence.actors import Restorations
from scenarios.evidence.exchange import Exchange, exchanges
from scenarios.evidence.final import Final
from scenarios.evidence.positions import Position, executed, maybe_closed
from scenarios.evidence.reports import Audit, Report, audits, reports
from scenarios.evidence.terms import Terms
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude

CONFLICT = 409


def conflict_is_reported(history: History) -> Verdict:
    """Where services disagree about a trade one payload is kept unchanged, and everybody with
    another one says so: a conflict from a durable client, a failure at least from a helper.

    Counts as a conflict: a 409 that was delivered, and terms that differ from those stored. A
    durable client alerts as well. Does not check: which payload wins, nor calls whose process
    died."""
    final, closed, positions = Final.of(history), maybe_closed(history), executed(history)
    asked, durable = audits(history), history.header.get("level") == "durable"
    restorations = Restorations.of(history)
    tries: dict[int, list[Exchange]] = {}
    for exchange in exchanges(history, "enable"):
        if exchange.ticket is not None:
            tries.setdefault(exchange.ticket, []).append(exchange)
    told: dict[int, list[Report]] = {}
    for report in reports(history):
        told.setdefault(report.ticket, []).append(report)
    verdicts: list[Verdict] = []
    for ticket, calls in told.items():
        dispute = _Dispute(
            ticket,
            calls,
            tries.get(ticket, []),
            positions.get(ticket),
            stored=None if ticket in closed else final.terms(ticket),
            restorable=restorations.possible(positions.get(ticket)),
        )
        if dispute.disputed:
            verdicts += _stored(dispute, final)
            verdicts += [_judge(report, dispute, asked, durable) for report in calls]
    return conclude(verdicts) if verdicts else Unknown("nobody disagreed about a trade")


@dataclass(frozen=True)
class _Dispute:
    """A ticket, and what everybody said of it. `stored`: what is held, None where unknown."""

    ticket: int
    calls: list[Report]
    tries: list[Exchange]
    position: Position | None
    stored: Terms | None
    restorable: bool

    @property
    def disputed(self) -> bool:
        given = [report.terms for report in self.calls if report.terms is not None]
        return any(not given[0].same(other) for other in given[1:]) or any(
            exchange.status == CONFLICT for exchange in self.tries
        )

    def refused(self, report: Report) -> bool:
        """Whether a 409 was delivered to the service during the call."""
        told = self._told_at.get(report.service, [])
        place = bisect_right(told, report.call.invoke.index)
        return place < len(told) and report.spans(told[place])

    @cached_property
    def _told_at(self) -> dict[str, list[int]]:
        """When exchanges began that delivered a 409, by service."""
        told: dict[str, list[int]] = {}
        for exchange in self.tries:
            if exchange.status == CONFLICT:
                told.setdefault(exchange.service, []).append(exchange.begun)
        return told

    def differs(self, report: Report) -> bool:
        """Whether something else is stored than the call gave, and no recovery changed it."""
        if self.stored is None or report.terms is None or self.stored.same(report.terms):
            return False
        executed_terms = self.position.terms if self.position is not None else None
        taken_over = (
            self.restorable and executed_terms is not None and executed_terms.same(self.stored)
        )
        return not taken_over


def _stored(dispute: _Dispute, final: Final) -> Iterator[Verdict]:
    """What is stored must be something that somebody sent, or that the broker executed."""
    if dispute.stored is None:
        return
    sent = [report.terms for report in dispute.calls]
    sent += [Terms.of(exchange.call.invoke.get("payload")) for exchange in dispute.tries]
    sent += [dispute.position.terms] if dispute.position is not None else []
    if not any(terms is not None and terms.same(dispute.stored) for terms in sent):
        why = f"{dispute.ticket} is stored with terms that nobody sent"
        yield Invalid(why, final.indices[:1], (dispute.ticket,))


def _judge(report: Report, dispute: _Dispute, asked: Mapping[str, Audit], durable: bool) -> Verdict:
    refused, differs = dispute.refused(report), dispute.differs(report)
    if not refused and not differs:
        return Valid()
    service, ticket, audit = report.service, report.ticket, asked.get(report.service)
    said = "was told of a conflict about" if refused else "gave other terms than are stored for"

    def invalid(what: str) -> Invalid:
        return Invalid(f"{service} {said} {ticket} {what}", report.call.indices, (ticket,))

    concluded = audit is not None and audit.outcomes.get(ticket) == "CONFLICT"
    if report.ended == "ok" and not (report.accepted_only and concluded):
        if not report.accepted_only:
            return invalid("and reported it as registered")
        if audit is None:
            return Unknown(f"{service} was not asked what became of {ticket}")
        return invalid("and never said so")
    if report.ended == "info" and not concluded:
        if report.error.startswith("process ") or not refused:
            return Unknown(f"{service} never said what became of {ticket}")
        return invalid("and reported nothing definite")
    if report.ended == "fail" and durable and not report.conflict:
        return invalid(f"and reported {report.reason or 'a failure'} instead")
    if durable and audit is not None and all(a.ticket != ticket for a in audit.alerts):
        return Invalid(
            f"{service} {said} {ticket} and raised no alert",
            (*report.call.indices, audit.index),
            (ticket,),
        )
    return Valid()
