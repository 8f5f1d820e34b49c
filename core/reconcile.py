"""What must be done so that every open position is protected. Pure.

The broker says which positions are open; "no data" says nothing. DTMS says what it holds; the
outbox what was promised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.acceptance import Absent, Differs, Present, Unclear
from core.outbox import IntentState
from core.trade import Trade

Found = Present | Absent | Differs | Unclear


@dataclass(frozen=True, slots=True)
class Register:
    """Open at the broker, nobody's yet: register it."""

    trade: Trade


@dataclass(frozen=True, slots=True)
class MarkRegistered:
    """DTMS holds it, whatever the outbox thought."""

    ticket: int


@dataclass(frozen=True, slots=True)
class MarkClosed:
    """The broker answered without it: there is nothing left to protect."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Warn:
    """A person must look."""

    ticket: int
    reason: str


Action = Register | MarkRegistered | MarkClosed | Warn


def reconcile(
    promised: Mapping[int, IntentState],
    held: Mapping[int, Found],
    positions: Mapping[int, Trade] | None,
    owned_elsewhere: frozenset[int],
) -> tuple[Action, ...]:
    """What to do, by ticket, in ascending order.

    `positions` None means "no data", upon which nothing is ever closed. A ticket that is not in
    `held`, or Unclear there, is not known to be absent. Conflicts are never overwritten.
    """
    tickets = sorted({*promised, *(positions or {})} - owned_elsewhere)
    actions = (_action(ticket, promised, held, positions) for ticket in tickets)
    return tuple(action for action in actions if action is not None)


def _action(
    ticket: int,
    promised: Mapping[int, IntentState],
    held: Mapping[int, Found],
    positions: Mapping[int, Trade] | None,
) -> Action | None:
    state = promised.get(ticket)
    if positions is not None and ticket not in positions:
        return MarkClosed(ticket) if state in {"PENDING", "REGISTERED"} else None
    match held.get(ticket):
        case Present():
            return MarkRegistered(ticket) if state in {"PENDING", "REJECTED"} else None
        case Differs(reason):
            return None if state == "CONFLICT" else Warn(ticket, reason)
        case Absent() if positions is not None and state != "PENDING":
            # A pending intent is driven by whoever owns it; anything else open needs an owner.
            return Register(positions[ticket])
        case _:
            return None
