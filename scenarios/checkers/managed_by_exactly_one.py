"""Checker: managed by exactly one."""

from __future__ import annotations

from collections.abc import Mapping

from scenarios.evidence.final import DTMS, OTHERS, UNIVERSAL, Final
from scenarios.evidence.positions import Position, executed, maybe_closed
from scenarios.evidence.refusals import Refusals
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude


def managed_by_exactly_one(history: History) -> Verdict:
    """Every executed position that is still open has one manager, and the registry names it.

    A trade without a strategy is not the Universal Manager's; one with a strategy may have fallen
    back to DTMS; one whose registration was refused, and told as that, may have none. Does not
    check: how often it changed hands, nor trades that somebody closed."""
    closed = maybe_closed(history)
    open_ones = [p for ticket, p in executed(history).items() if ticket not in closed]
    if not open_ones:
        return Unknown("no executed position was left open")
    final = Final.of(history)
    if final.read is None or final.managers is None or final.universal is None:
        return Unknown("DTMS, the registry or the Universal Manager was not read at the end")
    refusals = Refusals.of(history)
    return conclude(
        _judge(p, final, final.managers, refused=refusals.only(p.ticket)) for p in open_ones
    )


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
