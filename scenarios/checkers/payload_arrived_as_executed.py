"""Checker: payload arrived as executed."""

from __future__ import annotations

from scenarios.evidence.actors import Restorations
from scenarios.evidence.final import Final
from scenarios.evidence.positions import Position, executed
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude


def payload_arrived_as_executed(history: History) -> Verdict:
    """What the DTMS API holds of a trade is what the broker executed: symbol, direction, prices,
    volume, stops. Where the broker changed it later, nobody has told the server before it recovers
    again: until then it may hold what was executed first.

    Does not check: trades that are not there, those of other managers, nor time stamps."""
    final = Final.of(history)
    if final.read is None:
        return Unknown("what the server holds at the end was not read")
    there = [p for t, p in executed(history).items() if isinstance(final.trades.get(t), dict)]
    if not there:
        return Unknown("no executed trade was found at the server")
    restorations = Restorations.of(history)
    return conclude(_judge(position, final, restorations) for position in there)


def _judge(position: Position, final: Final, restorations: Restorations) -> Verdict:
    ticket, held = position.ticket, final.terms(position.ticket)
    if position.terms is None:
        return Unknown(f"on what terms {ticket} was executed is not recorded")
    evidence = (position.op.index, *final.indices[:1])
    if held is None:
        return Invalid(f"{ticket} is there without its terms", evidence, (ticket,))
    if any(map(held.same, position.former)) and not restorations.due_since(position.changed):
        return Valid()
    if difference := position.terms.difference(held):
        why = f"{ticket} was executed and registered with different terms: {difference}"
        return Invalid(why, evidence, (ticket,))
    return Valid()
