"""Checker: managed by exactly one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from scenarios.evidence.actors import told
from scenarios.evidence.exchange import Exchange, exchanges
from scenarios.evidence.final import DTMS, OTHERS, UNIVERSAL, Final
from scenarios.evidence.positions import Position, executed, maybe_closed
from scenarios.evidence.reading import mapping, text
from scenarios.evidence.refusals import Refusals
from scenarios.history import Call, History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude

MANAGER = "->main-api"
"""What links to the Universal Manager end in."""


def managed_by_exactly_one(history: History) -> Verdict:
    """Every executed position that is still open has one manager, and the registry names it.

    A trade without a strategy is not the Universal Manager's; one with a strategy may have fallen
    back to DTMS, but no service takes it there that was told the manager has it, or that never
    offered it; one whose registration was refused, and told as that, may have none. Does not check:
    how often it changed hands, nor trades that somebody closed."""
    closed = maybe_closed(history)
    open_ones = [p for ticket, p in executed(history).items() if ticket not in closed]
    if not open_ones:
        return Unknown("no executed position was left open")
    final = Final.of(history)
    if final.read is None or final.managers is None or final.universal is None:
        return Unknown("DTMS, the registry or the Universal Manager was not read at the end")
    refusals = Refusals.of(history)
    return conclude(
        (
            *(_judge(p, final, final.managers, refused=refusals.only(p.ticket)) for p in open_ones),
            *_taken_to_dtms(history, [p for p in open_ones if p.strategy]),
        )
    )


def _taken_to_dtms(history: History, positions: list[Position]) -> Iterator[Verdict]:
    """By a service that knew, or could have known, that the Universal Manager has the trade.

    One that has died may have known it from an earlier life, or have found the trade at the broker,
    who does not tell its strategy; and what is refused at once leaves no trace on the wire."""
    offers, by_ticket = _offers(history), {position.ticket: position for position in positions}
    sends = [e for e in exchanges(history, "enable") if e.ticket in by_ticket]
    died = {service for service in {e.service for e in sends} if told(history, "exited", service)}
    cut_off = any(
        (text(op.get("link")) or "").endswith(MANAGER) for op in history.notes("inflict", "nemesis")
    )
    for send in sends:
        position = by_ticket.get(send.ticket or 0)
        if position is None or send.service in died:
            continue
        service, ticket = send.service, position.ticket
        before = [offer for offer in offers.get((service, ticket), ()) if offer.begun(send)]
        about = (position.op.index, *(i for offer in before for i in offer.indices), send.begun)
        if any(offer.accepted_before(send) for offer in before):
            why = f"{service} took {ticket} to DTMS, and the Universal Manager had taken it"
        elif not before and not cut_off:
            why = (
                f"{service} took {ticket} to DTMS, and had not offered it to the Universal Manager"
            )
        else:
            continue
        del by_ticket[ticket]  # once is enough
        yield Invalid(why, about, (ticket,))


@dataclass(frozen=True, slots=True)
class _Offer:
    """A trade was offered to the Universal Manager, on the wire."""

    call: Call

    @property
    def indices(self) -> tuple[int, ...]:
        return self.call.indices

    def begun(self, send: Exchange) -> bool:
        return self.call.invoke.index < send.begun

    def accepted_before(self, send: Exchange) -> bool:
        done = self.call.completion
        accepted = mapping(self.call.get("body")).get("accepted") is True
        ended = done is not None and done.type == "ok" and done.index < send.begun
        return ended and accepted and self.call.get("status") == 200


def _offers(history: History) -> dict[tuple[str, int], list[_Offer]]:
    found: dict[tuple[str, int], list[_Offer]] = {}
    for call in history.calls(service="wire"):
        link = text(call.invoke.get("link")) or ""
        if link.endswith(MANAGER) and call.ticket is not None and call.invoke.get("payload"):
            found.setdefault((link.partition("->")[0], call.ticket), []).append(_Offer(call))
    return found


def _judge(
    position: Position, final: Final, managers: Mapping[int, str], *, refused: bool
) -> Verdict:
    ticket, presence = position.ticket, final.presence(position.ticket)
    named = managers.get(ticket)
    if presence in ("unread", "unreadable") or named is None:
        return Unknown(f"who manages {ticket} was not read")
    holders = []
    if presence == "active":
        holders.append(DTMS)
    if ticket in (final.universal or ()):
        holders.append(UNIVERSAL)
    if named in OTHERS:
        holders.append(named)

    def invalid(why: str) -> Invalid:
        return Invalid(why, (position.op.index, *final.indices), (ticket,))

    if not holders:
        if refused and not named:
            return Valid()
        return invalid(f"{ticket} is managed by nobody")
    if len(holders) > 1:
        return invalid(f"{ticket} is managed by {' and '.join(holders)}")
    if holders[0] == UNIVERSAL and not position.strategy:
        return invalid(f"{ticket} has no strategy and is managed by {UNIVERSAL}")
    if named != holders[0]:
        return invalid(
            f"{ticket} is managed by {holders[0]}; the registry says {named or 'nobody'}"
        )
    return Valid()
