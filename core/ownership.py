"""Who else may take a trade, and how the core asks without ever making two managers."""

from __future__ import annotations

from typing import Protocol

from core.errors import RegistrationError
from core.outcome import Outcome, Pending, Registered
from core.routing import Manager
from core.trade import Trade


class UniversalManager(Protocol):
    """Manages trades that carry a strategy, exclusively."""

    async def manage(self, trade: Trade) -> bool:
        """Whether it took the trade. Raises `NotSent` or `Unanswered`, or anything."""
        ...

    async def owns(self, ticket: int) -> bool:
        """Whether it manages the ticket. Raises `NotSent` or `Unanswered`, or anything."""
        ...


class LocalEngine(Protocol):
    """A DTMS engine in this process."""

    def register(self, trade: Trade) -> bool:
        """Whether it took the trade."""
        ...


async def offer(
    manager: UniversalManager, trade: Trade, *, offered_before: bool = False
) -> Outcome | None:
    """Offers the trade; None where DTMS must take it, because the manager surely does not.

    A manager that fails after it may have taken the trade is asked whether it owns it, and so is
    one that refuses what it may have taken when it was `offered_before`. While that cannot be told
    the trade stays Pending: falling back then could make two managers.
    """
    try:
        if await manager.manage(trade):
            return _managed(trade)
        reason, refused = "the manager refused it", True
    except RegistrationError as error:
        reason, refused = str(error), error.definite
    except Exception as error:  # noqa: BLE001 - another system's code; it may have taken the trade
        reason, refused = f"{type(error).__name__}: {error}", False
    if refused and not offered_before:
        return None
    return await settle_ownership(manager, trade, reason)


async def settle_ownership(manager: UniversalManager, trade: Trade, reason: str) -> Outcome | None:
    """Whether the manager owns the trade: Registered, None for surely not, or Pending."""
    try:
        return _managed(trade) if await manager.owns(trade.ticket) else None
    except Exception as error:  # noqa: BLE001 - not knowing is an outcome here, told as such
        return Pending(trade.ticket, f"{reason}; and who owns it cannot be told: {error}")


def _managed(trade: Trade) -> Registered:
    return Registered(trade.ticket, managed_by=Manager.UNIVERSAL.value)
