"""DTMS itself: start-up in order, registrations made durable, recovery, health.

Owns ledger, store and monitor. What it may not do by itself, tell the time, is handed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial

import msgspec

from simulator.broker_client import Broker, NoData, Registry
from simulator.death import Die, kill_this_process
from simulator.ledger import (
    Already,
    Conflict,
    Ledger,
    New,
    Registration,
    Reserved,
    compared,
    moved,
    registration_of,
)
from simulator.log import Log
from simulator.monitor import REGISTRY_AT_ONCE_MAX, Monitor
from simulator.persistence import Store, StoreDoubtful, StoreFailed
from simulator.recovery import recover
from simulator.request import EnableRequest, Problem
from simulator.states import State

INIT_ATTEMPTS_MAX = 5
BROKER_WAIT_S_MAX = 10.0
"""How long start-up waits for a broker before it goes on without, degraded."""
BACKOFF_BASE_S, BACKOFF_CAP_S = 0.05, 1.0
RETRY_AFTER_S = 1
PROBE_EVERY_S = 0.1
"""How often health may try the store."""
SWAPS_AT_ONCE_MAX = 2_000
MOVES_MAX = 10
"""How often a change is tried anew because another process changed the registration meanwhile."""


class Status(StrEnum):
    """How far the engine has come."""

    STARTING = "starting"
    READY = "ready"
    SHUTTING_DOWN = "shutting_down"
    FAILED = "failed"


class Enabled(msgspec.Struct, frozen=True, gc=False):
    """The ticket is registered, `already` or just now."""

    registration: Registration
    already: bool


@dataclass(slots=True)
class InitFaults:
    """What the control plane does to initialisation and recovery."""

    delay_s: float = 0.0
    failures_left: int = 0
    crash_in_recovery: Die | None = None


@dataclass(slots=True)
class Outcomes:
    """How often each kind of answer to a registration was given."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1


Saved = asyncio.Future[None] | asyncio.Future[Registration | None]
"""Done when the row is durable, with what was there instead, if anything was."""


class Engine:
    """One for each server process. `start` returns at once; `ready` says when it can work."""

    def __init__(
        self,
        store: Store,
        *,
        broker: Broker | None = None,
        registry: Registry | None = None,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        draw: Callable[[], float],
        log: Log,
        monitoring_interval_s: float = 30.0,
        broker_wait_s: float = BROKER_WAIT_S_MAX,
        on_failed: Callable[[], None] = lambda: None,
        die: Die = kill_this_process,
    ) -> None:
        self.store = store
        self.ledger = Ledger()
        self.outcomes = Outcomes()
        self.init_faults = InitFaults()
        self.status = Status.STARTING
        self.error = ""
        self.broker = broker
        self.registry = registry
        self.monitor = Monitor(self, interval_s=monitoring_interval_s, monotonic=monotonic)
        self.log = log
        self.die = die
        self._now = now
        self._monotonic = monotonic
        self._draw = draw
        self._broker_wait_s = broker_wait_s
        self._on_failed = on_failed
        self._started_at = monotonic()
        self._initialising: asyncio.Task[None] | None = None
        self._reserved: dict[int, Saved] = {}
        self._broker_well = broker is None
        self._recovered = broker is None
        self._unowned: tuple[int, ...] = ()
        self._probed_at = float("-inf")

    @property
    def ready(self) -> bool:
        """Registrations are taken."""
        return self.status is Status.READY and self.store.writable

    def now(self) -> str:
        """The time as it is written, in UTC."""
        return self._now().isoformat()

    def start(self) -> None:
        """Begins initialisation in the background; the port is open meanwhile."""
        self._initialising = asyncio.create_task(self._initialise_for_good())

    async def initialize(self) -> dict[str, object]:
        """Waits for the initialisation; where it is done, changes nothing."""
        if self._initialising is not None:
            await asyncio.shield(self._initialising)
        return {"success": self.status is Status.READY, "dtms_initialized": self.initialised}

    @property
    def initialised(self) -> bool:
        return self.status is Status.READY

    async def enable(self, request: EnableRequest) -> Enabled | Problem:
        """Registers, once; the answer comes when the row is durable."""
        while True:
            if self.status is not Status.READY:
                return self.not_ready()
            match self.ledger.decide(request, self.now()):
                case Reserved():
                    # Whatever becomes of the other registration, look again then.
                    await asyncio.wait([self._reserved[request.ticket]])
                case New(fresh):
                    return await self._make_durable(fresh, request)
                case Already() | Conflict() if self.store.shared is not None:
                    # What memory knows another process may have changed: the store says what is.
                    fresh = registration_of(request, self.now())
                    return await self._make_durable(fresh, request)
                case Already() | Conflict() as known:
                    return self._told(known)

    async def find(self, ticket: int) -> Registration | Problem:
        """What is registered under the ticket; a store that others write to is asked."""
        if self.status is not Status.READY:
            return self.not_ready()
        shared = self.store.shared
        if shared is None:
            return self.ledger.get(ticket) or unknown_ticket(ticket)
        try:
            return await shared.find(ticket) or unknown_ticket(ticket)
        except StoreFailed as error:
            message = f"The store cannot be read: {error}"
            return Problem(503, "not_readable", message, {"reason": str(error)}, RETRY_AFTER_S)

    async def close_trade(self, ticket: int) -> Registration | Problem:
        """Closes a registration; closing it again changes nothing."""
        known = await self.find(ticket)
        if isinstance(known, Problem) or not known.active:
            return known
        return await self.move(known, State.CLOSED, "closed by request")

    async def move(self, known: Registration, state: State, why: str) -> Registration | Problem:
        """Brings a registration into another state, durably. Raises `TransitionRefused`."""
        for _attempt in range(MOVES_MAX):
            after = moved(known, state, self.now())
            try:
                held = await self._exchange(known, after)
            except StoreFailed as error:
                return _not_persisted(error)
            if held is None:
                self.ledger.note(after.last_updated, known.ticket, state.lower(), why)
                return after
            if held.state is state:
                return held
            known = held
        return _not_persisted(StoreFailed(f"it was changed {MOVES_MAX} times meanwhile"))

    async def keep(self, *registrations: Registration, gone: tuple[int, ...] = ()) -> None:
        """Makes the rows durable, then lets them count. Raises `StoreFailed`."""
        await self.store.save(registrations, gone)
        for registration in registrations:
            self.ledger.put(registration)
        self.ledger.forget(gone)

    async def refresh(self) -> None:
        """What other processes stored counts here too. Raises `StoreFailed`."""
        if self.store.shared is not None:
            self.ledger.replace(await self.store.shared.rows())

    def note_broker(self, well: bool) -> None:
        """Whether the broker answered when it was asked last."""
        if well != self._broker_well:
            self._broker_well = well
            (self.log.info if well else self.log.warning)("broker", reachable=well)

    async def recover_if_pending(self, positions: Mapping[int, EnableRequest]) -> None:
        """Finishes a recovery that had to go on without the broker. Raises `StoreFailed`."""
        if not self._recovered or self._unowned:
            await self._recover(self.ledger.all(), positions)

    async def owners(self, tickets: Sequence[int]) -> dict[int, bool | None]:
        """Who of them another manager owns. Without a registry there is no other manager."""
        registry = self.registry
        if registry is None:
            return {}
        at_once = asyncio.Semaphore(REGISTRY_AT_ONCE_MAX)

        async def ask(ticket: int) -> bool | None:
            async with at_once:
                return await registry.is_owned_elsewhere(ticket)

        answers = await asyncio.gather(*(ask(ticket) for ticket in tickets))
        return dict(zip(tickets, answers, strict=True))

    def not_ready(self) -> Problem:
        """Why nothing is registered now."""
        if self.status is Status.SHUTTING_DOWN:
            message = "DTMS is shutting down."
        elif self.status is Status.FAILED:
            message = f"DTMS could not be initialised: {self.error}"
        else:
            message = "DTMS is not initialised yet."
        return Problem(503, "not_ready", message, {"status": self.status}, RETRY_AFTER_S)

    async def health(self) -> tuple[int, dict[str, object]]:
        """`GET /health`: the process and all it depends on."""
        await self._probe_store()
        troubles = self._troubles()
        if self.status is Status.FAILED:
            status, told = 500, "unhealthy"
        elif self.status is not Status.READY:
            status, told = 503, "unhealthy"
        else:
            status, told = (503, "degraded") if troubles else (200, "healthy")
        body: dict[str, object] = {
            "status": told,
            "dtms_initialized": self.initialised,
            "dtms_available": self.ready,
            "timestamp": self.now(),
        }
        if troubles:
            body["troubles"] = troubles
        return status, body

    async def dtms_health(self) -> tuple[int, dict[str, object]]:
        """`GET /dtms/health`: whether registrations are taken."""
        await self._probe_store()
        body: dict[str, object] = {
            "dtms_initialized": self.initialised,
            "monitoring_active": self.monitor.active,
            "active_trades": self.ledger.active_count,
            "ready": self.ready,
            "timestamp": self.now(),
        }
        if self.ready:
            return 200, body
        if self.status is Status.READY:
            body["error"] = "the store cannot persist"
        else:
            body["error"] = self.not_ready().message
        return (500 if self.status is Status.FAILED else 503), body

    def summary(self) -> dict[str, object]:
        """What `GET /dtms/status` tells."""
        return {
            "system_active": self.ready,
            "uptime": round(self._monotonic() - self._started_at, 3),
            "active_trades": self.ledger.active_count,
            "trades_by_state": self.ledger.by_state(),
            "performance": {
                "registrations": dict(self.outcomes.counts),
                "monitoring_cycles": self.monitor.cycles,
                "last_cycle_s": self.monitor.last_cycle_s,
            },
            "last_check": self.monitor.last_check,
        }

    def information(self) -> dict[str, object]:
        """What `GET /dtms/engine` tells."""
        return {
            "success": True,
            "summary": f"{self.ledger.active_count} active trades",
            "status": self.status,
            "monitoring_interval_s": self.monitor.interval_s,
            "monitor_restarts": self.monitor.restarts,
            "store": {
                "writable": self.store.writable,
                "set_aside": str(self.store.set_aside or ""),
            },
            "broker": {"configured": self.broker is not None, "reachable": self._broker_well},
            "troubles": self._troubles(),
        }

    def shut_down(self) -> None:
        """Takes nothing new from now on; `aclose` ends what was begun."""
        if self.status is not Status.FAILED:
            self.status = Status.SHUTTING_DOWN

    @property
    def failed(self) -> bool:
        """Initialisation failed for good."""
        return self.status is Status.FAILED

    async def aclose(self) -> None:
        """Takes nothing new, finishes what was begun, stores it, and ends."""
        self.shut_down()
        if self._initialising is not None:
            self._initialising.cancel()
            await asyncio.gather(self._initialising, return_exceptions=True)
        await self.monitor.stop()
        while self._reserved:
            await asyncio.wait(list(self._reserved.values()))
            await asyncio.sleep(0)
        await self.store.close()

    def _troubles(self) -> list[str]:
        troubles = []
        if self.status is Status.READY and not self.store.writable:
            troubles.append("the store cannot persist")
        if self.store.set_aside is not None:
            troubles.append(f"the store was corrupt and is kept as {self.store.set_aside.name}")
        if self.broker is not None and not self._broker_well:
            troubles.append("the broker does not answer")
        if self.status is Status.READY and not self.monitor.active:
            troubles.append("the monitor is dead")
        return troubles

    async def _probe_store(self) -> None:
        """While commits fail, tries one, so that health is true again as soon as the store is; one
        behind a network always, since it may go while nobody commits."""
        now = self._monotonic()
        is_sure = self.store.writable and self.store.shared is None
        if self.status is not Status.READY or is_sure:
            return
        if now - self._probed_at >= PROBE_EVERY_S:
            self._probed_at = now
            await self.store.probe()

    def _told(self, known: Already | Conflict) -> Enabled | Problem:
        if isinstance(known, Already):
            return Enabled(known.registration, already=True)
        return self._conflict(known.registration)

    def _conflict(self, known: Registration) -> Problem:
        return Problem(
            409,
            "ticket_conflict",
            f"Ticket {known.ticket} is registered with other data.",
            trade_info(known),
        )

    async def _make_durable(self, fresh: Registration, request: EnableRequest) -> Enabled | Problem:
        """The commit belongs to the engine, not to the request: a client that hangs up meanwhile
        must not leave the ticket reserved."""
        self.ledger.reserve(fresh.ticket)
        shared = self.store.shared
        saved: Saved = self.store.save((fresh,)) if shared is None else shared.swap(None, fresh)
        self._reserved[fresh.ticket] = saved
        answered: asyncio.Future[BaseException | None] = saved.get_loop().create_future()
        saved.add_done_callback(partial(self._settle, fresh, answered))
        error = await answered
        if error is None:
            held = saved.result()
            return (
                Enabled(fresh, already=False)
                if held is None
                else self._told(compared(held, request))
            )
        if isinstance(error, StoreFailed):
            return _not_persisted(error)
        raise error

    def _settle(
        self,
        fresh: Registration,
        answered: asyncio.Future[BaseException | None],
        saved: Saved,
    ) -> None:
        del self._reserved[fresh.ticket]
        error = saved.exception()
        if error is None and (held := saved.result()) is not None:
            self.ledger.put(held)
        elif error is None:
            self.ledger.put(fresh)
            # Who registered it may have found it at the broker, before its owner had spoken up.
            self.monitor.watch_ownership((fresh.ticket,))
            self.ledger.note(fresh.registered_at, fresh.ticket, "registered")
        else:
            self.ledger.release(fresh.ticket)
            self.log.error("not_persisted", ticket=fresh.ticket, reason=str(error))
        if not answered.done():
            answered.set_result(error)

    async def _initialise_for_good(self) -> None:
        for attempt in range(1, INIT_ATTEMPTS_MAX + 1):
            try:
                await self._initialise()
            except StoreFailed as error:
                self.error = str(error)
                self.log.error("initialisation_failed", attempt=attempt, reason=self.error)
                await self.store.close()
                await asyncio.sleep(self._backoff_s(attempt))
            else:
                return
        self.status = Status.FAILED
        self._on_failed()

    async def _initialise(self) -> None:
        faults = self.init_faults
        if faults.delay_s:
            await asyncio.sleep(faults.delay_s)
        if faults.failures_left:
            faults.failures_left -= 1
            raise StoreFailed("initialisation was told to fail")
        stored = await self.store.open()
        if self.store.set_aside is not None:
            self.log.error("store_set_aside", kept_as=str(self.store.set_aside))
        positions = await self._wait_for_broker()
        if faults.crash_in_recovery is not None:
            faults.crash_in_recovery()
            # A simulated process is taken away a moment later; until then it does nothing.
            await asyncio.get_running_loop().create_future()
        await self._recover(stored, positions)
        self.monitor.start()
        self.status = Status.READY
        self.log.info("ready", active_trades=self.ledger.active_count)

    async def _wait_for_broker(self) -> Mapping[int, EnableRequest] | None:
        """The broker's positions; None where there is no broker, or none that answers in time."""
        if self.broker is None:
            return None
        deadline = self._monotonic() + self._broker_wait_s
        attempt = 0
        while True:
            attempt += 1
            try:
                positions = await self.broker.positions()
            except NoData as error:
                self.note_broker(False)
                self.log.warning("broker_unavailable", attempt=attempt, reason=str(error))
                if self._monotonic() >= deadline:
                    return None
                await asyncio.sleep(self._backoff_s(attempt))
            else:
                self.note_broker(True)
                return positions

    async def _recover(
        self,
        stored: tuple[Registration, ...],
        positions: Mapping[int, EnableRequest] | None,
    ) -> None:
        known = {row.ticket for row in stored}
        strangers = [ticket for ticket in positions or () if ticket not in known]
        owned = await self.owners(strangers)
        done = recover(stored, positions, owned, self.now())
        for _attempt in range(MOVES_MAX):
            there = await self._store_recovered(stored, done.changed)
            if there is None:
                break
            # What others have registered since is theirs; what they changed is looked at anew.
            stored = tuple(there[row.ticket] for row in stored if row.ticket in there)
            mine = {t: p for t, p in (positions or {}).items() if t in known or t not in there}
            done = recover(stored, mine, owned, self.now())
        else:
            raise StoreFailed(f"others changed it {MOVES_MAX} times meanwhile")
        for registration in done.registrations:
            self.ledger.put(registration)
        await self.refresh()
        for ticket in done.adopted:
            self.ledger.note(self.now(), ticket, "adopted", "open at the broker, nobody's yet")
        # Also what was restored: it may have been adopted shortly before the restart.
        self.monitor.watch_ownership(row.ticket for row in done.registrations if row.active)
        self._recovered = positions is not None or self.broker is None
        self._unowned = done.unowned
        self.log.info(
            "recovered",
            restored=len(stored),
            changed=len(done.changed),
            adopted=len(done.adopted),
            unowned=len(done.unowned),
            from_broker=positions is not None,
        )

    async def _store_recovered(
        self, stored: Sequence[Registration], changed: Sequence[Registration]
    ) -> Mapping[int, Registration] | None:
        """None where all of it is stored; else, since another process was first with some of it,
        every row there is now. Raises `StoreFailed`."""
        shared = self.store.shared
        if shared is None:
            if changed:
                await self.store.save(changed)
            return None
        before = {row.ticket: row for row in stored}
        held: list[Registration | None] = []
        for first in range(0, len(changed), SWAPS_AT_ONCE_MAX):
            part = changed[first : first + SWAPS_AT_ONCE_MAX]
            swaps = (shared.swap(before.get(row.ticket), row) for row in part)
            held += await asyncio.gather(*swaps)
        if all(row is None for row in held):
            return None
        return {row.ticket: row for row in await shared.rows()}

    async def _exchange(self, known: Registration, after: Registration) -> Registration | None:
        """None where it is stored; else what another process has stored. Raises `StoreFailed`."""
        shared = self.store.shared
        if shared is None:
            await self.keep(after)
            return None
        held = await shared.swap(known, after)
        self.ledger.put(held or after)
        return held

    def _backoff_s(self, attempt: int) -> float:
        ceiling = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0**attempt)
        return float(ceiling * (0.5 + self._draw() / 2))


def trade_info(registration: Registration) -> dict[str, object]:
    """A registration as the wire tells it."""
    told: dict[str, object] = msgspec.structs.asdict(registration)
    told["protection_active"] = registration.active
    return told


def unknown_ticket(ticket: int) -> Problem:
    """Nobody has registered it."""
    return Problem(404, "unknown_ticket", f"Ticket {ticket} is not registered.", {"ticket": ticket})


def _not_persisted(error: StoreFailed) -> Problem:
    if isinstance(error, StoreDoubtful):
        message = f"Whether it is stored cannot be told, ask again: {error}"
        return Problem(503, "not_confirmed", message, {"reason": str(error)}, RETRY_AFTER_S)
    message = f"The store cannot persist: {error}"
    return Problem(503, "not_persisted", message, {"reason": str(error)}, RETRY_AFTER_S)
