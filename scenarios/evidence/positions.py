"""What the broker did, and which tickets somebody may have closed."""

from __future__ import annotations

from collections.abc import Mapping, Set

import msgspec

from scenarios.evidence.reading import text
from scenarios.evidence.shared import once_per_history
from scenarios.evidence.terms import Terms
from scenarios.history import Call, History, Op


class Position(msgspec.Struct, frozen=True, gc=False):
    """A position opened at the broker: money at risk from `op` on. `terms` are those of `changed`,
    the last that the broker did with it; `former` those that it had before."""

    ticket: int
    op: Op
    terms: Terms | None
    strategy: str | None
    changed: Op
    former: tuple[Terms, ...] = ()


@once_per_history
def executed(history: History) -> Mapping[int, Position]:
    """Every position the broker opened, by ticket. One that it changed is at risk since it was
    opened first, on the terms that it has now."""
    positions: dict[int, Position] = {}
    for op in history.notes("execute", "broker"):
        if (ticket := op.ticket) is not None:
            known = positions.get(ticket)
            opened, former = (op, ()) if known is None else (known.op, _all_terms(known))
            strategy = text(op.get("strategy_type")) or None
            positions[ticket] = Position(ticket, opened, Terms.of(op.value), strategy, op, former)
    return positions


def _all_terms(position: Position) -> tuple[Terms, ...]:
    return position.former if position.terms is None else (*position.former, position.terms)


@once_per_history
def close_calls(history: History) -> Mapping[int, list[Call]]:
    """Requests to close a registration that may have been carried out, by ticket."""
    closes: dict[int, list[Call]] = {}
    for call in history.calls("close"):
        if call.ended != "fail" and (ticket := call.ticket) is not None:
            closes.setdefault(ticket, []).append(call)
    return closes


@once_per_history
def maybe_closed(history: History) -> Set[int]:
    """Tickets whose position was closed, or whose registration somebody asked to close."""
    gone = {op.ticket for op in history.notes("position-closed", "broker")}
    return {ticket for ticket in gone if ticket is not None} | set(close_calls(history))
