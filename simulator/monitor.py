"""The monitoring cycle: closes what the broker has closed, cleans up, and is itself watched."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from simulator.broker_client import NoData
from simulator.persistence import StoreFailed
from simulator.states import State

if TYPE_CHECKING:
    from simulator.engine import Engine

CLEAN_UP_EVERY = 10
"""Cycles between clean-ups."""
CLOSED_KEPT_MAX = 10_000
"""How many closed registrations are kept; the oldest beyond that are forgotten."""
RESTARTS_MAX = 3
RESTART_WINDOW_S = 3600.0
OWNERSHIP_CYCLES = 5
"""For how many cycles a trade is watched for an owner that was only slow."""
REGISTRY_AT_ONCE_MAX = 16
"""How many questions the registry is asked at once."""


class Monitor:
    """Runs a cycle every `interval_s`; one that dies is restarted, RESTARTS_MAX times an hour."""

    def __init__(
        self, engine: Engine, *, interval_s: float, monotonic: Callable[[], float]
    ) -> None:
        self.interval_s = interval_s
        self.cycles = 0
        self.last_cycle_s = 0.0
        self.last_check: str | None = None
        self.restarts = 0
        self.die_next = False
        self.observe: Callable[[float], None] = lambda _seconds: None
        self._engine = engine
        self._monotonic = monotonic
        self._task: asyncio.Task[None] | None = None
        self._restarted_at: deque[float] = deque(maxlen=RESTARTS_MAX)
        self._watched: dict[int, int] = {}

    @property
    def active(self) -> bool:
        """Whether cycles are run."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begins to run cycles."""
        if not self.active:
            self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Ends between or within cycles; what a cycle had begun to store is stored or not."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def watch_ownership(self, tickets: Iterable[int]) -> None:
        """Trades whose owner may yet appear; without a registry there is no other."""
        if self._engine.registry is not None:
            self._watched.update(dict.fromkeys(tickets, OWNERSHIP_CYCLES))

    async def cycle(self) -> None:
        """One look at everything. Raises nothing for a broker or store that fails."""
        engine, began = self._engine, self._monotonic()
        if self.die_next:
            self.die_next = False
            raise RuntimeError("the monitor was told to die")
        try:
            await engine.refresh()
            await self._close_what_is_gone()
            await self._release_what_is_owned()
            if self.cycles % CLEAN_UP_EVERY == CLEAN_UP_EVERY - 1:
                await self._clean_up()
        except StoreFailed as error:
            engine.log.error("monitoring_not_stored", reason=str(error))
        self.cycles += 1
        self.last_check = engine.now()
        self.last_cycle_s = round(self._monotonic() - began, 6)
        self.observe(self.last_cycle_s)

    async def _watch(self) -> None:
        """Runs cycles, and again after one has died, until too many have."""
        while True:
            try:
                while True:
                    await asyncio.sleep(self.interval_s)
                    await self.cycle()
            except Exception as error:  # noqa: BLE001 - whatever kills a cycle, protection goes on
                self._engine.log.error("monitor_died", reason=f"{type(error).__name__}: {error}")
            now = self._monotonic()
            full = len(self._restarted_at) == RESTARTS_MAX
            if full and now - self._restarted_at[0] < RESTART_WINDOW_S:
                self._engine.log.error("monitor_given_up", restarts=RESTARTS_MAX)
                return
            self._restarted_at.append(now)
            self.restarts += 1

    async def _close_what_is_gone(self) -> None:
        engine = self._engine
        if engine.broker is None:
            return
        # Only what was registered before the broker was asked may be missing from its answer.
        before = engine.ledger.active()
        try:
            positions = await engine.broker.positions()
        except NoData:
            engine.note_broker(False)
            return
        engine.note_broker(True)
        await engine.recover_if_pending(positions)
        for registration in before:
            current = engine.ledger.get(registration.ticket)
            if registration.ticket not in positions and current is not None and current.active:
                await engine.move(current, State.CLOSED, "the position is closed at the broker")

    async def _release_what_is_owned(self) -> None:
        """Gives up trades that the Universal Manager turned out to own, unless DTMS is defending
        them: then its claim goes first. A registry that is silent is asked in the next cycle."""
        waiting = tuple(self._watched)
        for first in range(0, len(waiting), REGISTRY_AT_ONCE_MAX):
            owners = await self._engine.owners(waiting[first : first + REGISTRY_AT_ONCE_MAX])
            for ticket, is_owned in owners.items():
                await self._note_owner(ticket, is_owned)
            if all(is_owned is None for is_owned in owners.values()):
                return

    async def _note_owner(self, ticket: int, is_owned: bool | None) -> None:
        engine = self._engine
        current = engine.ledger.get(ticket)
        if current is None or not current.active:
            del self._watched[ticket]
            return
        if is_owned is None:
            return
        if is_owned and current.state not in {State.WARNING_L2, State.HEDGED}:
            await engine.move(current, State.CLOSED, "another manager owns it")
        self._watched[ticket] -= 1
        if self._watched[ticket] <= 0:
            del self._watched[ticket]

    async def _clean_up(self) -> None:
        engine = self._engine
        closed = [trade for trade in engine.ledger.all() if not trade.active]
        if len(closed) > CLOSED_KEPT_MAX:
            closed.sort(key=lambda trade: trade.last_updated)
            gone = tuple(trade.ticket for trade in closed[:-CLOSED_KEPT_MAX])
            await engine.keep(gone=gone)
