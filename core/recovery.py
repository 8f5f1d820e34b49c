"""Carries out a reconciliation with the broker: after a crash, or whenever asked.

One round does what can be done now. What could not be learnt, because broker, API or Universal
Manager did not say, is asked about again until all is clear.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from core.alerts import Alert
from core.errors import OutboxFailed
from core.events import Level
from core.outcome import Closed, Registered
from core.ownership import UniversalManager
from core.production import Core
from core.reconcile import (
    Action,
    AskAgain,
    MarkClosed,
    MarkRegistered,
    Register,
    Warn,
    reconcile,
    unclaimed,
)
from core.trade import Trade

ROUNDS_MAX = 1_000
"""After so many rounds a person must look."""

T = TypeVar("T")


class Positions(Protocol):
    """The broker, as far as recovery needs it."""

    async def open_positions(self) -> Mapping[int, Trade] | None:
        """Every open position by ticket; None where the broker has no data to give."""
        ...


@dataclass(frozen=True, slots=True)
class Recovered:
    """What one round decided. `unclear` are the tickets to be asked about again; None for all of
    them, where the broker told nothing."""

    actions: tuple[Action, ...]
    unclear: frozenset[int] | None

    @property
    def clear(self) -> bool:
        """Nothing is left to be learnt."""
        return self.unclear == frozenset()


async def recover(
    core: Core,
    broker: Positions,
    manager: UniversalManager | None = None,
    *,
    among: frozenset[int] | None = None,
) -> Recovered:
    """One round: brings outbox, DTMS and broker together as far as they can be asked now.

    `manager` None: there is no other manager. `among`: only these tickets, None for all. Never
    raises for what others do: what could not be learnt changes nothing.
    """
    # Only what was promised before the broker was asked may be missing from its answer.
    before = core.outcomes()
    positions = await _ask_broker(core, broker)
    if positions is None:
        return Recovered((), among)
    if among is not None:
        before = {ticket: before[ticket] for ticket in before if ticket in among}
        positions = {ticket: positions[ticket] for ticket in positions if ticket in among}
    held = await _each(sorted(positions), lambda ticket: core.find(positions[ticket]), core)
    now = core.outcomes()
    strangers = unclaimed(now, held, positions)
    owned = {} if manager is None else await _each(strangers, _asking(manager), core)
    now = core.outcomes()
    promised = {ticket: now[ticket] for ticket in now if ticket in before or ticket in positions}
    actions = reconcile(promised, held, positions, owned)
    left = [_ticket(action) for action in actions if not await _carry_out(core, action)]
    return Recovered(actions, frozenset(left))


async def recover_until_clear(
    core: Core,
    broker: Positions,
    manager: UniversalManager | None,
    so_far: Recovered,
    *,
    every_s: float,
    rounds_max: int = ROUNDS_MAX,
) -> None:
    """Goes on from a first round, `every_s` apart, until all is clear; alerts after `rounds_max`.

    Cancel it before the core is closed. Positions that were opened since the broker first
    answered are not its business: nobody can have forgotten them in a crash before that.
    """
    for _round in range(rounds_max):
        if so_far.clear:
            return
        await core.clock.sleep(every_s)
        so_far = await recover(core, broker, manager, among=so_far.unclear)
    if not so_far.clear:
        left = "the broker" if so_far.unclear is None else sorted(so_far.unclear)
        reason = f"after {rounds_max} rounds nothing can be learnt of {left}"
        core.alerts.raise_alert(Alert(Level.CRITICAL, "recovery_given_up", None, reason))


async def _ask_broker(core: Core, broker: Positions) -> Mapping[int, Trade] | None:
    try:
        return await broker.open_positions()
    except Exception as error:  # noqa: BLE001 - somebody else's code; told, and nothing changed
        core.events.emit(Level.WARNING, "broker_unreadable", reason=str(error))
        return None


def _asking(manager: UniversalManager) -> Callable[[int], Awaitable[bool | None]]:
    async def owns(ticket: int) -> bool | None:
        try:
            return await manager.owns(ticket)
        except Exception:  # noqa: BLE001 - not knowing is an answer here, and asked again
            return None

    return owns


async def _each(
    tickets: Iterable[int], ask: Callable[[int], Awaitable[T]], core: Core
) -> dict[int, T]:
    """Asks about each ticket, as many at once as the pool has connections."""
    at_once = asyncio.Semaphore(core.policy.pool_connections)

    async def one(ticket: int) -> tuple[int, T]:
        async with at_once:
            return ticket, await ask(ticket)

    return dict(await asyncio.gather(*(one(ticket) for ticket in tickets)))


async def _carry_out(core: Core, action: Action) -> bool:
    """Whether it was done for good."""
    match action:
        case Register(trade):
            try:
                await core.accept(trade)
            except OutboxFailed as error:
                reason = f"open, unprotected, and not accepted: {error}"
                core.alerts.raise_alert(Alert(Level.ERROR, "recovery", trade.ticket, reason))
                return False
        case MarkRegistered(ticket):
            core.conclude(Registered(ticket, already=True, verified=True))
        case MarkClosed(ticket):
            core.conclude(Closed(ticket))
        case Warn(ticket, reason):
            core.alerts.raise_alert(Alert(Level.ERROR, "recovery_conflict", ticket, reason))
        case AskAgain(ticket, reason):
            core.events.emit(Level.INFO, "recovery_unclear", ticket=ticket, reason=reason)
            return False
    return True


def _ticket(action: Action) -> int:
    return action.trade.ticket if isinstance(action, Register) else action.ticket
