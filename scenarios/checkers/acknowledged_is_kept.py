"""Checker: acknowledged is kept."""

from __future__ import annotations

from scenarios.evidence.final import Final
from scenarios.evidence.positions import Position, executed, maybe_closed
from scenarios.evidence.reports import Audit, Report, audits, reports
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude

ALERTED_ENDS = frozenset({"REJECTED", "CONFLICT", "CLOSED"})


def acknowledged_is_kept(history: History) -> Verdict:
    """Whatever a client reported as registered is there at the end, and open as its position is.

    "Durably accepted" is kept as well while the client still has it pending, or ended it with an
    alert. Does not check: order, latency, on what terms it is there, or trades that somebody
    closed."""
    acknowledged: dict[int, Report] = {}
    for report in reports(history):
        if report.ended == "ok":
            known = acknowledged.get(report.ticket)
            if known is None or (known.accepted_only and not report.accepted_only):
                acknowledged[report.ticket] = report
    if not acknowledged:
        return Unknown("nothing was reported as registered")
    final = Final.of(history)
    if final.read is None:
        return Unknown("what the server holds at the end was not read")
    closed, asked, positions = maybe_closed(history), audits(history), executed(history)
    return conclude(
        Valid()
        if report.ticket in closed or final.there(report.ticket)
        else _judge(report, final, asked.get(report.service), positions.get(report.ticket))
        for report in acknowledged.values()
    )


def _judge(report: Report, final: Final, audit: Audit | None, position: Position | None) -> Verdict:
    ticket, presence = report.ticket, final.presence(report.ticket)
    if report.accepted_only and audit is not None:
        end = audit.outcomes.get(ticket)
        if ticket in audit.pending or end == "PENDING" or end in ALERTED_ENDS:
            return Valid()
    word = "accepted" if report.accepted_only else "acknowledged"
    if presence in ("unread", "unreadable"):
        return Unknown(f"{ticket} was {word}, and what became of it was not read")
    if position is not None and position.strategy and final.universal is None:
        return Unknown(f"{ticket} was {word}, and the Universal Manager was not asked for it")
    became = {
        "absent": "and is gone",
        "closed": "and is closed, though nobody closed it",
        "idle": "and is there without protection",
    }[presence]
    evidence = (*report.call.indices, *final.indices[:1])
    return Invalid(f"{ticket} was {word} {became}", evidence, (ticket,))
