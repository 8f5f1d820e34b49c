"""What must be done so that every open position is protected. Pure.

The broker says which positions are open; "no data" says nothing. DTMS says what it holds, the
Universal Manager what it owns; the outbox what was promised.
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


@dataclass(frozen=True, slots=True)
class AskAgain:
    """What is to be done about an open position cannot be told yet."""

    ticket: int
    reason: str


Action = Register | MarkRegistered | MarkClosed | Warn | AskAgain


def unclaimed(
    promised: Mapping[int, IntentState],
    held: Mapping[int, Found],
    positions: Mapping[int, Trade] | None,
) -> tuple[int, ...]:
    """Open positions that DTMS said it lacks and nobody here drives: another manager's or nobody's.

    Whether another manager has them must be asked before anything is done about them.
    """
    return tuple(
        ticket
        for ticket in sorted(positions or {})
        if held.get(ticket) == Absent() and promised.get(ticket) != "PENDING"
    )


def reconcile(
    promised: Mapping[int, IntentState],
    held: Mapping[int, Found],
    positions: Mapping[int, Trade] | None,
    owned_elsewhere: Mapping[int, bool | None],
) -> tuple[Action, ...]:
    """What to do, by ticket, in ascending order.

    `positions` None means "no data", upon which nothing is ever closed. A ticket that is not in
    `held`, or Unclear there, is not known to be absent. Whether another manager owns it: None where
    that cannot be told; who is not named in `owned_elsewhere` is not owned. Conflicts are never
    overwritten.
    """
    tickets = sorted({*promised, *(positions or {})})
    actions = (
        _action(ticket, promised, held, positions, owned_elsewhere.get(ticket, False))
        for ticket in tickets
        if owned_elsewhere.get(ticket) is not True
    )
    return tuple(action for action in actions if action is not None)


def _action(
    ticket: int,
    promised: Mapping[int, IntentState],
    held: Mapping[int, Found],
    positions: Mapping[int, Trade] | None,
    owned: bool | None,
) -> Action | None:
    state = promised.get(ticket)
    if positions is not None and ticket not in positions:
        return MarkClosed(ticket) if state in {"PENDING", "REGISTERED"} else None
    match held.get(ticket, Unclear("it was not looked up")):
        case Present():
            return MarkRegistered(ticket) if state in {"PENDING", "REJECTED"} else None
        case Differs(reason):
            return None if state == "CONFLICT" else Warn(ticket, reason)
        case _ if positions is None or state == "PENDING":
            # A pending intent is driven by whoever owns it; anything else open needs an owner.
            return None
        case Unclear(reason):
            return AskAgain(ticket, reason)
        case _:
            if owned is None:
                return AskAgain(ticket, "whether another manager owns it cannot be told")
            return Register(positions[ticket])
