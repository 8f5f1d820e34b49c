"""What services reported about registrations, and what they could tell when asked at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from scenarios.evidence.reading import by_ticket, integer, items, mapping, number, text
from scenarios.evidence.shared import once_per_history
from scenarios.evidence.terms import Terms
from scenarios.history import Call, History, OpType

WARNING_AND_ABOVE = frozenset({"WARNING", "ERROR", "CRITICAL"})
ERROR_AND_ABOVE = frozenset({"ERROR", "CRITICAL"})


class Report(msgspec.Struct, frozen=True, gc=False):
    """A registration that a service asked for, and what its client said."""

    call: Call
    ticket: int
    terms: Terms | None
    via: str

    @property
    def service(self) -> str:
        return self.call.service

    @property
    def ended(self) -> OpType:
        return self.call.ended

    @property
    def reason(self) -> str:
        return text(self.call.get("reason")) or ""

    @property
    def error(self) -> str:
        completion = self.call.completion
        return (completion.error or "") if completion is not None else ""

    @property
    def accepted_only(self) -> bool:
        """`ok` means no more than "durable, and will be registered or alerted"."""
        return self.via.startswith("auto")

    @property
    def conflict(self) -> bool:
        return self.ended == "fail" and self.reason.lower().startswith("conflict")

    def spans(self, index: int) -> bool:
        """Whether the call was open when the operation with this index was recorded."""
        completion = self.call.completion
        return self.call.invoke.index < index and (completion is None or index < completion.index)


@once_per_history
def reports(history: History) -> tuple[Report, ...]:
    """Every registration asked for, in the order they were."""
    return tuple(
        Report(call, ticket, Terms.of(call.invoke.get("trade")), text(call.get("via")) or "")
        for call in history.calls("register")
        if (ticket := call.ticket) is not None
    )


@once_per_history
def reports_by_ticket(history: History) -> Mapping[int, list[Report]]:
    grouped: dict[int, list[Report]] = {}
    for report in reports(history):
        grouped.setdefault(report.ticket, []).append(report)
    return grouped


class Notice(msgspec.Struct, frozen=True, gc=False):
    """An alert or a logged event."""

    level: str
    event: str
    ticket: int | None


@dataclass(frozen=True, slots=True)
class Audit:
    """What a service's client told about itself after settling."""

    index: int
    pending: frozenset[int]
    outcomes: Mapping[int, str]
    alerts: tuple[Notice, ...]
    events: tuple[Notice, ...]
    leaks: Mapping[str, float]


@once_per_history
def audits(history: History) -> Mapping[str, Audit]:
    """The last audit of each service that answered one."""
    found: dict[str, Audit] = {}
    for call in history.calls("audit"):
        if call.completion is None or call.ended != "ok":
            continue
        told = mapping(call.completion.value)
        pending = (integer(ticket) for ticket in items(told.get("pending")))
        outcomes = by_ticket(told.get("outcomes")).items()
        leaks = ((name, number(n)) for name, n in mapping(told.get("leaks")).items())
        found[call.service] = Audit(
            index=call.completion.index,
            pending=frozenset(ticket for ticket in pending if ticket is not None),
            outcomes={ticket: word for ticket, word in outcomes if isinstance(word, str)},
            alerts=_notices(told.get("alerts")),
            events=_notices(told.get("events")),
            leaks={name: n for name, n in leaks if n is not None},
        )
    return found


def _notices(told: object) -> tuple[Notice, ...]:
    return tuple(
        Notice(
            level=(text(notice.get("level")) or "").upper(),
            event=text(notice.get("event")) or "",
            ticket=integer(notice.get("ticket")),
        )
        for notice in map(mapping, items(told))
        if notice
    )
