"""The composition root: the only place where real time, chance and ids come into the core."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self, TextIO

from prometheus_client import CollectorRegistry

from core.acceptance import Absent, Differs, Present, Unclear
from core.alerts import Alert, Alerts, AlertSink
from core.clock import Clock
from core.errors import OutboxFailed
from core.events import Events, Level, Take
from core.httpx_api import HttpxApi
from core.metrics import Metrics
from core.outbox import Contradicted, Intent, IntentState, Outbox, Stored
from core.outcome import Conflict, Outcome, Pending, Registered
from core.ownership import LocalEngine, UniversalManager, offer
from core.port import DtmsApi
from core.registrar import Limits, Registrar
from core.resumption import Resumption, Spacing
from core.retry import RetryPolicy
from core.routing import Manager, Route, route
from core.settings import Settings
from core.sqlite_outbox import SqliteOutbox
from core.trade import Trade
from core.waiting import ended_within

SETTLE_POLL_S, SETTLE_POLL_S_MAX = 0.02, 0.2
"""How often it is looked whether nothing is pending: ever more rarely, the longer it takes."""
ONE_ATTEMPT = Limits(retries=0)


class SystemClock:
    """This machine's clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def open_outbox(path: Path, clock: Clock, alerts: Alerts) -> SqliteOutbox:
    """The outbox at `path`; one that was corrupt is set aside, which is critical news."""
    outbox = SqliteOutbox.open(path, now=clock.now())
    if outbox.report.set_aside is not None:
        reason = f"it was corrupt and is kept as {outbox.report.set_aside}"
        alerts.raise_alert(Alert(Level.CRITICAL, "outbox_set_aside", None, reason))
    return outbox


def open_shared_outbox(url: str, place: str, alerts: Alerts) -> Outbox:
    """The outbox of a service in a PostgreSQL database, under a name of this process's own. Raises
    `OutboxFailed`, also where psycopg is not installed."""
    try:
        from core.postgres_outbox import PostgresOutbox
    except ImportError as error:
        raise OutboxFailed(
            "an outbox in PostgreSQL needs psycopg: pip install 'dtms-lab[postgres]'"
        ) from error

    def tell(reason: str) -> None:
        alerts.raise_alert(Alert(Level.ERROR, "outbox_leases_not_renewed", None, reason))

    return PostgresOutbox.open(
        url, place, owner=uuid.uuid4().hex, monotonic=time.monotonic, unrenewed=tell
    )


class Core:
    """The reference registration core, put together. Lives in one event loop.

    `async with Core(...) as core`, or `start` and `aclose`. What is injected replaces this
    machine's: clock, randomness, ids, the port, the outbox, alert sinks. `metrics` may be shared
    by cores that take turns.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        outbox: Path | Callable[[Alerts], Outbox],
        service: str = "dtms-client",
        adapter: Literal["httpx", "aiohttp"] = "httpx",
        api: DtmsApi | None = None,
        universal_manager: UniversalManager | None = None,
        local_engine: LocalEngine | None = None,
        alert_sinks: Sequence[AlertSink] = (),
        event_stream: TextIO | Take | None = None,
        log_level: Level = Level.INFO,
        registry: CollectorRegistry | None = None,
        metrics: Metrics | None = None,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.policy = settings.policy
        self.new_id = new_id
        self._settings = settings
        self.clock = self._clock = clock or SystemClock()
        self._draw = draw
        self._universal = universal_manager
        self._local = local_engine
        self._outbox_at = outbox
        self._adapter = adapter
        self._given_api = api
        stream = sys.stderr if event_stream is None else event_stream
        self.events = Events(stream, clock=self._clock, service=service, level=log_level)
        self.alerts = Alerts(self.events, alert_sinks)
        self.metrics = metrics or Metrics(registry or CollectorRegistry())
        self._driving: dict[int, asyncio.Task[Outcome]] = {}
        self._awaited: dict[int, asyncio.Future[Outcome]] = {}
        self._in_flux: dict[Future[Any], int] = {}
        self._writing = threading.Lock()
        self._resuming: asyncio.Task[None] | None = None
        self._offered: set[int] = set()
        self._given_ids: set[str] = set()
        """The correlation ids of this core. An intent with another is somebody else's, who may have
        offered it already."""
        spacing = RetryPolicy(0, self.policy.base_s, self.policy.factor, self.policy.cap_s)
        self._spacing = Spacing(spacing, draw)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Opens the outbox and goes on with what is pending. Raises `OutboxFailed`."""
        at = self._outbox_at
        if isinstance(at, Path):
            self._outbox: Outbox = await asyncio.to_thread(
                open_outbox, at, self._clock, self.alerts
            )
        else:
            self._outbox = at(self.alerts)
        # Whatever this core finds there may have been offered by the one before it.
        self._offered.update(self._outbox.outcomes())
        self.api = self._given_api or self._make_api()
        self._registrar = Registrar(
            self.api,
            policy=self.policy,
            clock=self._clock,
            draw=self._draw,
            alerts=self.alerts,
            events=self.events,
            metrics=self.metrics,
        )
        self.metrics.pending.set_function(lambda: len(self._outbox.pending()))
        self._resuming = asyncio.create_task(self._resumption().run())

    async def register(self, trade: Trade, limits: Limits | None = None) -> Outcome:
        """Makes the intent durable, drives it, and waits for its end; Pending where that does not
        come within the policy's deadline. Raises `OutboxFailed`, and then nothing was sent.

        Whoever registers the same trade meanwhile shares the drive and its outcome.
        """
        accepted = await self.accept(trade, limits)
        if isinstance(accepted, Conflict):
            return accepted
        if await ended_within(accepted, self.policy.deadline_s):
            return accepted.result()
        return Pending(trade.ticket, f"no end within {self.policy.deadline_s:g} s")

    async def accept(
        self, trade: Trade, limits: Limits | None = None
    ) -> Conflict | asyncio.Future[Outcome]:
        """Makes the intent durable and starts its drive, which this core owns. What comes back
        tells the end of the intent, or Pending once attempts were used up in vain; waiting for
        readiness or the breaker uses up none."""
        putting = self.put(trade)
        try:
            await asyncio.wrap_future(putting)
        except BaseException:
            # Nobody will begin it; if it is durable all the same, resumption does.
            self._left_flux(putting)
            raise
        return self.begin(putting, limits)

    def put(self, trade: Trade) -> Future[Stored | Contradicted]:
        """Makes the intent durable; may be called from any thread. Until `begin` follows, nobody
        else drives it, unless it fails."""
        correlation_id = self.new_id()
        self._given_ids.add(correlation_id)
        putting = self._outbox.put(trade, correlation_id)
        with self._writing:
            self._in_flux[putting] = trade.ticket
        return putting

    def begin(
        self, putting: Future[Stored | Contradicted], limits: Limits | None = None
    ) -> Conflict | asyncio.Future[Outcome]:
        """Starts, or joins, the drive of an intent that is durable; what comes back is `accept`'s.

        Raises `OutboxFailed` where it is not.
        """
        self._left_flux(putting)
        stored = putting.result()
        intent = stored.intent
        if isinstance(stored, Contradicted):
            reason = "this service has registered other data under the ticket"
            self.alerts.raise_alert(
                Alert(Level.ERROR, "registration_conflict", intent.ticket, reason)
            )
            return Conflict(intent.ticket, reason)
        self._note_origin(intent)
        end = self._awaited.get(intent.ticket)
        if end is None:
            end = self._awaited[intent.ticket] = asyncio.get_running_loop().create_future()
        self._drive(intent, limits)
        return end

    def conclude(self, outcome: Outcome) -> None:
        """Writes an outcome. Nobody waits: doing a finished intent again is harmless, and one that
        could not be written stays pending and is told."""
        ticket = outcome.ticket
        if outcome.final:
            self._spacing.forget(ticket)
        writing = self._outbox.conclude(outcome)
        with self._writing:
            self._in_flux[writing] = ticket
        writing.add_done_callback(self._note_written)
        told = outcome.tried if isinstance(outcome, Pending) else True
        if told and (end := self._awaited.pop(ticket, None)) and not end.done():
            end.set_result(outcome)

    async def find(self, trade: Trade) -> Present | Absent | Differs | Unclear:
        """What DTMS holds of a trade, asked as gate and breaker allow."""
        return await self._registrar.find(Intent(trade, self.new_id()))

    def pending(self) -> tuple[Intent, ...]:
        """Every intent whose end is not known."""
        return self._outbox.pending()

    def outcomes(self) -> dict[int, IntentState]:
        """What became of every intent that is remembered."""
        return self._outbox.outcomes()

    async def settle(self, timeout_s: float) -> tuple[Intent, ...]:
        """Waits until nothing is pending, at most `timeout_s`; returns what is."""
        deadline, poll_s = self._clock.monotonic() + timeout_s, SETTLE_POLL_S
        while self._busy() and self._clock.monotonic() < deadline:
            await self._clock.sleep(poll_s)
            poll_s = min(poll_s * 1.25, SETTLE_POLL_S_MAX)
        return self.pending()

    async def aclose(self) -> None:
        """Ends every task and connection. What is pending stays in the outbox."""
        tasks = [*self._driving.values(), *([self._resuming] if self._resuming else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for end in self._awaited.values():
            end.cancel()
        if hasattr(self, "api"):
            await self.api.aclose()
        if hasattr(self, "_outbox"):
            # Not in a thread: at interpreter exit none can be had any more, and it is short.
            self._outbox.close()

    def _make_api(self) -> DtmsApi:
        settings, policy = self._settings, self._settings.policy
        if self._adapter == "aiohttp":
            from core.aiohttp_api import AiohttpApi  # a quarter of the start-up of who needs none

            return AiohttpApi(
                settings.api_url,
                now=self._clock.now,
                connections=policy.pool_connections,
                api_key=settings.api_key,
            )
        return HttpxApi(
            settings.api_url,
            now=self._clock.now,
            connections=policy.pool_connections,
            keepalive=policy.pool_keepalive,
            api_key=settings.api_key,
        )

    def _resumption(self) -> Resumption:
        policy = self.policy
        return Resumption(
            due=self._due,
            ready=self._registrar.is_ready,
            drive=self._resume,
            spacing=self._spacing,
            interval_s=policy.resume_interval_s,
            window_max=policy.pool_connections,
            clock=self._clock,
        )

    def _busy(self) -> bool:
        return bool(self._driving or self._in_flux or self._due())

    def _due(self) -> tuple[Intent, ...]:
        """What nobody drives or is about to, and what no outcome on its way to the disk ends."""
        due = self._outbox.due()
        if not due:
            return ()
        with self._writing:
            busy = {*self._in_flux.values(), *self._driving}
        return tuple(intent for intent in due if intent.ticket not in busy)

    def _note_origin(self, intent: Intent) -> None:
        if intent.correlation_id not in self._given_ids:
            self._offered.add(intent.ticket)

    def _resume(self, intent: Intent) -> asyncio.Task[Outcome]:
        self._note_origin(intent)
        return self._drive(intent, ONE_ATTEMPT)

    def _drive(self, intent: Intent, limits: Limits | None) -> asyncio.Task[Outcome]:
        running = self._driving.get(intent.ticket)
        if running is None:
            running = asyncio.create_task(self._take(intent, limits))
            self._driving[intent.ticket] = running
        return running

    async def _take(self, intent: Intent, limits: Limits | None) -> Outcome:
        try:
            outcome = await self._route(intent, limits)
        except Exception as error:  # noqa: BLE001 - a defect must not cost the trade: tried again
            reason = f"{type(error).__name__}: {error}"
            self.alerts.raise_alert(Alert(Level.ERROR, "drive_failed", intent.ticket, reason))
            outcome = Pending(intent.ticket, reason)
        try:
            if isinstance(outcome, Pending):
                now = self._clock.monotonic()
                self._spacing.on_failure(intent.ticket, now, outcome.retry_after_s)
            self.conclude(outcome)
        finally:
            # Who is cancelled does not come here: then all are, and nobody drives any more.
            del self._driving[intent.ticket]
        return outcome

    async def _route(self, intent: Intent, limits: Limits | None) -> Outcome:
        trade = intent.trade
        match route(trade, has_local_engine=self._local is not None):
            case Route.UNIVERSAL_MANAGER if self._universal is not None:
                before = trade.ticket in self._offered
                self._offered.add(trade.ticket)
                outcome = await offer(self._universal, trade, offered_before=before)
                if outcome is not None:
                    return self._tell_manager(outcome)
                try:
                    kept = await asyncio.wrap_future(self._outbox.fall_back(trade.ticket))
                except OutboxFailed as error:
                    return Pending(trade.ticket, f"falling back to DTMS: {error}")
                intent = kept or intent
            case Route.LOCAL_ENGINE if self._taken_locally(trade):
                return Registered(trade.ticket, managed_by=Manager.DTMS.value)
            case _:
                pass
        if not self._settings.use_api_fallback:
            return Pending(trade.ticket, "the API may not be used, and nobody else took the trade")
        return await self._registrar.drive(intent, limits)

    def _taken_locally(self, trade: Trade) -> bool:
        assert self._local is not None
        try:
            return self._local.register(trade) is True
        except Exception as error:  # noqa: BLE001 - another system's code; the API takes over
            reason = f"{type(error).__name__}: {error}"
            self.events.emit(
                Level.WARNING, "local_engine_failed", ticket=trade.ticket, reason=reason
            )
            return False

    def _tell_manager(self, outcome: Outcome) -> Outcome:
        level = Level.INFO if outcome.final else Level.WARNING
        reason = getattr(outcome, "reason", "")
        self.events.emit(
            level, "ownership", ticket=outcome.ticket, outcome=outcome.word, reason=reason
        )
        return outcome

    def _left_flux(self, change: Future[Any]) -> None:
        with self._writing:
            self._in_flux.pop(change, None)

    def _note_written(self, written: Future[None]) -> None:
        """In the outbox's thread: a loop that need not know is not woken."""
        self._left_flux(written)
        error = written.exception()
        if isinstance(error, OutboxFailed):
            self.events.emit(Level.ERROR, "outcome_not_written", reason=str(error))
        elif error is not None:
            raise error
