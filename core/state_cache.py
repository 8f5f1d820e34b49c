"""What readers (the Intelligent Exit Manager) may know of a trade's state, and may do with it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.clock import Clock

FRESH_S = 10.0
USABLE_S = 30.0
TICKETS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Permissions:
    """What an exit manager may do while the trade is in some state."""

    break_even: bool
    partial_close: bool
    trailing: bool


def permissions(state: str | None) -> Permissions:
    """Not knowing allows what can only reduce risk, and forbids moving stops behind DTMS's back.

    While DTMS defends a trade (HEDGED, WARNING_L2) its stops are DTMS's alone.
    """
    if state is None:
        return Permissions(break_even=True, partial_close=True, trailing=False)
    defended = state in {"HEDGED", "WARNING_L2"}
    return Permissions(break_even=not defended, partial_close=not defended, trailing=not defended)


class StateCache:
    """Asks `fetch` at most once at a time for each ticket and at most every FRESH_S seconds.

    `fetch` returns the state, or None when it could not be told; a state last seen less than
    USABLE_S ago is used then. At most TICKETS_MAX tickets are remembered.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[str | None]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._known: OrderedDict[int, tuple[str, float]] = OrderedDict()
        self._asking: dict[int, asyncio.Future[str | None]] = {}

    async def state(self, ticket: int) -> str | None:
        """The state, at most FRESH_S old, or USABLE_S where it cannot be asked; else None."""
        known = self._known.get(ticket)
        if known is not None and self._clock.monotonic() - known[1] < FRESH_S:
            return known[0]
        asking = self._asking.get(ticket)
        if asking is None:
            asking = asyncio.ensure_future(self._fetch(ticket))
            self._asking[ticket] = asking
            asking.add_done_callback(lambda _done: self._asking.pop(ticket, None))
        fetched = await asyncio.shield(asking)
        if fetched is not None:
            self._remember(ticket, fetched)
            return fetched
        known = self._known.get(ticket)
        if known is not None and self._clock.monotonic() - known[1] < USABLE_S:
            return known[0]
        return None

    def _remember(self, ticket: int, state: str) -> None:
        self._known[ticket] = (state, self._clock.monotonic())
        self._known.move_to_end(ticket)
        while len(self._known) > TICKETS_MAX:
            self._known.popitem(last=False)
