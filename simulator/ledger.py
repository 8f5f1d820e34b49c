"""The rules of registration, and nothing else: no clock, no disk, no network.

A new ticket is *reserved* while its row is on the way to the disk, so that memory never says what
the store does not know; whoever asks for a reserved ticket waits for its fate.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

import msgspec

from simulator.request import EnableRequest
from simulator.states import State, allowed

ACTIONS_MAX = 1_000
"""How many past actions are remembered for GET /dtms/actions."""


class Registration(msgspec.Struct, frozen=True, gc=False):
    """One trade under protection, or one that was. Times are UTC, ISO 8601."""

    ticket: int
    symbol: str
    direction: str
    entry_price: float
    volume: float
    stop_loss: float | None
    take_profit: float | None
    state: State
    registered_at: str
    last_updated: str

    @property
    def active(self) -> bool:
        return self.state is not State.CLOSED


class Action(msgspec.Struct, frozen=True, gc=False):
    """Something DTMS did."""

    time: str
    ticket: int
    action: str
    detail: str = ""


class New(msgspec.Struct, frozen=True, gc=False):
    """Nobody has registered the ticket: it may be reserved."""

    registration: Registration


class Already(msgspec.Struct, frozen=True, gc=False):
    """Registered before, with the same data."""

    registration: Registration


class Conflict(msgspec.Struct, frozen=True, gc=False):
    """Registered before, with other data."""

    registration: Registration


class Reserved(msgspec.Struct, frozen=True, gc=False):
    """Somebody's registration of the ticket is on its way to the disk."""


class Ledger:
    """Every registration by ticket."""

    def __init__(self) -> None:
        self._trades: dict[int, Registration] = {}
        self._reserved: set[int] = set()
        self._active = 0
        self.actions: deque[Action] = deque(maxlen=ACTIONS_MAX)

    def decide(self, request: EnableRequest, now: str) -> New | Already | Conflict | Reserved:
        """What registering this would be."""
        if request.ticket in self._reserved:
            return Reserved()
        known = self._trades.get(request.ticket)
        return New(registration_of(request, now)) if known is None else compared(known, request)

    def reserve(self, ticket: int) -> None:
        """Keeps the ticket for whoever is making it durable."""
        self._reserved.add(ticket)

    def release(self, ticket: int) -> None:
        """It could not be made durable; anybody may try again."""
        self._reserved.discard(ticket)

    def put(self, registration: Registration) -> None:
        """The row is durable: from now on it counts."""
        known = self._trades.get(registration.ticket)
        self._active += registration.active - (known is not None and known.active)
        self._trades[registration.ticket] = registration
        self._reserved.discard(registration.ticket)

    def get(self, ticket: int) -> Registration | None:
        """The registration, open or closed; None where there never was one."""
        return self._trades.get(ticket)

    def forget(self, tickets: Iterable[int]) -> None:
        """Drops closed registrations."""
        for ticket in tickets:
            known = self._trades.get(ticket)
            if known is not None and not known.active:
                del self._trades[ticket]

    def replace(self, registrations: Iterable[Registration]) -> None:
        """These take the place of all that is remembered; what is reserved stays so."""
        self._trades = {row.ticket: row for row in registrations}
        self._active = sum(row.active for row in self._trades.values())

    def all(self) -> tuple[Registration, ...]:
        """Every registration, closed ones included."""
        return tuple(self._trades.values())

    def active(self) -> tuple[Registration, ...]:
        """Every registration that is not closed."""
        return tuple(trade for trade in self._trades.values() if trade.active)

    @property
    def active_count(self) -> int:
        return self._active

    def by_state(self) -> dict[str, int]:
        """How many registrations are in each state."""
        counts = Counter(trade.state for trade in self._trades.values())
        return {state.value: counts.get(state, 0) for state in State}

    def note(self, now: str, ticket: int, action: str, detail: str = "") -> None:
        """Remembers an action."""
        self.actions.append(Action(now, ticket, action, detail))


class TransitionRefused(ValueError):
    """The states do not follow on each other."""


def moved(registration: Registration, state: State, now: str) -> Registration:
    """The registration in another state. Raises `TransitionRefused`."""
    if not allowed(registration.state, state):
        raise TransitionRefused(
            f"ticket {registration.ticket} cannot go from {registration.state} to {state}"
        )
    return msgspec.structs.replace(registration, state=state, last_updated=now)


def registration_of(request: EnableRequest, now: str) -> Registration:
    """A fresh registration of what was asked for."""
    return Registration(
        request.ticket,
        request.symbol,
        request.direction,
        request.entry,
        request.volume,
        request.stop_loss,
        request.take_profit,
        State.HEALTHY,
        now,
        now,
    )


def compared(known: Registration, request: EnableRequest) -> Already | Conflict:
    """What registering a ticket is under which `known` is registered."""
    return Already(known) if is_same(known, request) else Conflict(known)


def is_same(known: Registration, request: EnableRequest) -> bool:
    """Whether the request says what is registered already."""
    return (
        known.symbol == request.symbol
        and known.direction == request.direction
        and known.entry_price == request.entry
        and known.volume == request.volume
        and known.stop_loss == request.stop_loss
        and known.take_profit == request.take_profit
    )
