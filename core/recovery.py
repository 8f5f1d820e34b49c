"""Carries out a reconciliation with the broker: after a crash, or whenever asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from core.acceptance import Unclear, judge_lookup
from core.alerts import Alert
from core.errors import OutboxFailed, RegistrationError
from core.events import Level
from core.outcome import Closed, Registered
from core.production import Core
from core.reconcile import Action, Found, MarkClosed, MarkRegistered, Register, Warn, reconcile
from core.trade import Trade


class Positions(Protocol):
    """The broker, as far as recovery needs it."""

    async def open_positions(self) -> Mapping[int, Trade] | None:
        """Every open position by ticket; None where the broker has no data to give."""
        ...


async def recover(
    core: Core, broker: Positions, owned_elsewhere: frozenset[int] = frozenset()
) -> tuple[Action, ...]:
    """Brings outbox, DTMS and broker together, and says what was done.

    Never raises for what broker or API do: what could not be learnt changes nothing.
    """
    try:
        positions = await broker.open_positions()
    except Exception as error:  # noqa: BLE001 - somebody else's code; told, and nothing changed
        core.events.emit(Level.WARNING, "broker_unreadable", reason=str(error))
        positions = None
    promised = core.outcomes()
    held = {
        ticket: await _look_up(core, positions[ticket])
        for ticket in sorted(positions or {})
        if positions is not None and ticket not in owned_elsewhere
    }
    actions = reconcile(promised, held, positions, owned_elsewhere)
    for action in actions:
        await _carry_out(core, action)
    return actions


async def _look_up(core: Core, trade: Trade) -> Found:
    try:
        answer = await core.api.lookup(
            trade.ticket, timeout_s=core.policy.timeout_s, correlation_id=core.new_id()
        )
    except RegistrationError as error:
        return Unclear(str(error))
    return judge_lookup(trade, answer)


async def _carry_out(core: Core, action: Action) -> None:
    match action:
        case Register(trade):
            try:
                await core.accept(trade)
            except OutboxFailed as error:
                reason = f"open, unprotected, and not accepted: {error}"
                core.alerts.raise_alert(Alert(Level.ERROR, "recovery", trade.ticket, reason))
        case MarkRegistered(ticket):
            core.conclude(Registered(ticket, already=True, verified=True))
        case MarkClosed(ticket):
            core.conclude(Closed(ticket))
        case Warn(ticket, reason):
            core.alerts.raise_alert(Alert(Level.ERROR, "recovery_conflict", ticket, reason))
