"""What readers (the Intelligent Exit Manager) may know of a trade's state, and may do with it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.acceptance import judge_state
from core.clock import Clock
from core.errors import RegistrationError
from core.port import DtmsApi
from core.routing import DEFENSIVE_STATES

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
    defended = state in DEFENSIVE_STATES
    return Permissions(break_even=not defended, partial_close=not defended, trailing=not defended)


class StateCache:
    """Asks `fetch` at most once at a time for each ticket, and not while it knows a fresh state.

    `fetch` returns the state, or None when it could not be told; a state last seen less than
    USABLE_S ago is used then. At most TICKETS_MAX tickets are remembered.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[str | None]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._known: OrderedDict[int, tuple[str, float]] = OrderedDict()
        self._asking: dict[int, asyncio.Task[str | None]] = {}

    async def state(self, ticket: int) -> str | None:
        """The state, at most FRESH_S old, or USABLE_S where it cannot be asked; else None."""
        known = self._not_older_than(FRESH_S, ticket)
        if known is not None:
            return known
        asking = self._asking.get(ticket)
        if asking is None:
            asking = asyncio.create_task(self._ask(ticket))
            self._asking[ticket] = asking
            asking.add_done_callback(lambda _done: self._asking.pop(ticket, None))
        # Shielded: a reader that gives up must not take the answer from the others.
        return await asyncio.shield(asking) or self._not_older_than(USABLE_S, ticket)

    async def aclose(self) -> None:
        """Ends what is being asked."""
        asking = tuple(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, ticket: int) -> str | None:
        state = await self._fetch(ticket)
        if state is not None:
            self._known[ticket] = (state, self._clock.monotonic())
            self._known.move_to_end(ticket)
            while len(self._known) > TICKETS_MAX:
                self._known.popitem(last=False)
        return state

    def _not_older_than(self, age_s: float, ticket: int) -> str | None:
        known = self._known.get(ticket)
        if known is None or self._clock.monotonic() - known[1] >= age_s:
            return None
        return known[0]


def states_of(
    api: DtmsApi, *, timeout_s: float, new_id: Callable[[], str]
) -> Callable[[int], Awaitable[str | None]]:
    """A `fetch` that asks the DTMS API; whatever fails there, the state is not known."""

    async def fetch(ticket: int) -> str | None:
        try:
            answer = await api.lookup(ticket, timeout_s=timeout_s, correlation_id=new_id())
        except RegistrationError:
            return None
        return judge_state(ticket, answer)

    return fetch
