"""Checker: acknowledged is kept."""

from __future__ import annotations

import msgspec

from scenarios.evidence.final import Final
from scenarios.evidence.positions import Position, executed, maybe_closed
from scenarios.evidence.reports import Audit, Report, audits, reports
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude

ALERTED_ENDS = frozenset({"REJECTED", "CONFLICT", "CLOSED"})


def acknowledged_is_kept(history: History) -> Verdict:
    """Whatever a client reported as registered is there at the end, and open as its position is.

    Reported is what a call answered, and what the client said of a pending one when it was asked
    later. "Durably accepted" is kept as well while the client still has it pending, or ended it
    with an alert. Does not check: order, latency, on what terms it is there, or trades that
    somebody closed."""
    asked = audits(history)
    claims: dict[int, _Claim] = {}
    for report in reports(history):
        claim = _claim(report, asked.get(report.service))
        known = claims.get(report.ticket)
        if claim is not None and (
            known is None or (known.accepted_only and not claim.accepted_only)
        ):
            claims[report.ticket] = claim
    if not claims:
        return Unknown("nothing was reported as registered")
    final = Final.of(history)
    if final.read is None:
        return Unknown("what the server holds at the end was not read")
    closed, positions = maybe_closed(history), executed(history)
    return conclude(
        Valid()
        if ticket in closed or final.there(ticket)
        else _judge(claim, final, positions.get(ticket))
        for ticket, claim in claims.items()
    )


class _Claim(msgspec.Struct, frozen=True, gc=False):
    """That a ticket is registered, or will be; and what the client said of it at the end."""

    report: Report
    audit: Audit | None
    accepted_only: bool

    @property
    def excused(self) -> bool:
        """Accepted, and still pending or ended otherwise: nothing was forgotten."""
        ticket = self.report.ticket
        if not self.accepted_only or self.audit is None:
            return False
        end = self.audit.outcomes.get(ticket)
        return ticket in self.audit.pending or end == "PENDING" or end in ALERTED_ENDS


def _claim(report: Report, audit: Audit | None) -> _Claim | None:
    if audit is not None and audit.outcomes.get(report.ticket) == "REGISTERED":
        return _Claim(report, audit, accepted_only=False)
    if report.ended == "ok":
        return _Claim(report, audit, report.accepted_only)
    return None


def _judge(claim: _Claim, final: Final, position: Position | None) -> Verdict:
    if claim.excused:
        return Valid()
    report, ticket = claim.report, claim.report.ticket
    presence = final.presence(ticket)
    word = "accepted" if claim.accepted_only else "acknowledged"
    if presence in ("unread", "unreadable"):
        return Unknown(f"{ticket} was {word}, and what became of it was not read")
    if position is not None and position.strategy and final.universal is None:
        return Unknown(f"{ticket} was {word}, and the Universal Manager was not asked for it")
    became = {
        "absent": "and is gone",
        "closed": "and is closed, though nobody closed it",
        "idle": "and is there without protection",
    }[presence]
    told = () if report.ended == "ok" or claim.audit is None else (claim.audit.index,)
    evidence = (*report.call.indices, *told, *final.indices[:1])
    return Invalid(f"{ticket} was {word} {became}", evidence, (ticket,))
