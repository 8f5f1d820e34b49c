"""The core for callers of every kind: plain code, running loops, many threads.

One background thread with one event loop, owned here, runs one core. Callers hand in trades and
get futures; no loop is made for a call, and no task is without an owner.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from core.errors import OutboxFailed, RegistrationError, TradeRefused
from core.events import Level
from core.outbox import Contradicted, Stored
from core.outcome import Conflict, Outcome, Rejected
from core.production import Core
from core.registrar import Limits
from core.trade import Trade, normalise

START_S_MAX = 30.0
CLOSE_S_MAX = 10.0
DURABLE_S_MAX = 5.0
"""How long a caller waits for its intent to be durable before it is told that it is not."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The intent is durable: it will be registered, or alerted.

    `outcome` may be awaited: it tells the end of the intent, or Pending once attempts were used
    up in vain, and fails with `RegistrationError` where the core was closed before.
    """

    ticket: int
    outcome: Future[Outcome]


class Bridge:
    """Owns the background loop and the core in it. Usable from any thread until closed."""

    def __init__(self, make_core: Callable[[], Core]) -> None:
        """Starts the loop and the core. Raises `OutboxFailed` where the core cannot start."""
        self._make_core = make_core
        self._loop = asyncio.new_event_loop()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run_loop, name="dtms-bridge", daemon=True)
        self._thread.start()
        try:
            self.core = self.call(self._start()).result(START_S_MAX)
        except BaseException:
            self._stop_loop()
            raise
        atexit.register(self.close)

    @property
    def closed(self) -> bool:
        """Nothing is accepted any more."""
        return self._closed

    def call(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Runs a coroutine in the bridge's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def submit(self, trade: Trade, limits: Limits | None = None) -> Accepted | Conflict:
        """Makes the intent durable, then lets the core drive it; blocks only for the former.

        Raises `OutboxFailed` when it could not be made durable.
        """
        if self._closed:
            raise OutboxFailed("the bridge is closed")
        putting = self.core.put(trade)
        try:
            stored = putting.result(DURABLE_S_MAX)
        except TimeoutError as error:
            # It may yet become durable: then it is driven, and the caller was told no too early.
            putting.add_done_callback(lambda _done: self._hand_in(putting, limits, Future()))
            raise OutboxFailed(f"not durable within {DURABLE_S_MAX:g} s") from error
        outcome: Future[Outcome] = Future()
        self._hand_in(putting, limits, outcome)
        if isinstance(stored, Contradicted):
            conflict = outcome.result(DURABLE_S_MAX)
            assert isinstance(conflict, Conflict)
            return conflict
        return Accepted(trade.ticket, outcome)

    def close(self) -> None:
        """Ends core and loop; what is pending stays in the outbox. May be called twice."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        atexit.unregister(self.close)
        try:
            self.call(self.core.aclose()).result(CLOSE_S_MAX)
        except TimeoutError:
            reason = f"the core did not end within {CLOSE_S_MAX:.0f} s"
            self.core.events.emit(Level.ERROR, "bridge_close", reason=reason)
        self._stop_loop()

    def _hand_in(
        self,
        putting: Future[Stored | Contradicted],
        limits: Limits | None,
        outcome: Future[Outcome],
    ) -> None:
        self._loop.call_soon_threadsafe(self._begin, putting, limits, outcome)

    def _begin(
        self,
        putting: Future[Stored | Contradicted],
        limits: Limits | None,
        outcome: Future[Outcome],
    ) -> None:
        try:
            end = self.core.begin(putting, limits)
        except OutboxFailed as error:
            outcome.set_exception(error)
            return
        if isinstance(end, Conflict):
            outcome.set_result(end)
        else:
            end.add_done_callback(lambda end: _hand_over(end, outcome))

    async def _start(self) -> Core:
        core = self._make_core()
        await core.start()
        return core

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_S_MAX)
        if not self._thread.is_alive():
            self._loop.close()


def accept(bridge: Bridge, ticket: object, trade_data: Mapping[str, object]) -> Outcome | Accepted:
    """`submit` for data of any accepted shape; a refusal is an outcome, told and alerted.

    Raises `OutboxFailed` when the intent could not be made durable.
    """
    try:
        trade = normalise(ticket, trade_data)
    except TradeRefused as error:
        bridge.core.events.emit(
            Level.ERROR, "trade_refused", ticket=ticket, outcome="REJECTED", reason=str(error)
        )
        return Rejected(ticket if type(ticket) is int else 0, str(error))
    return bridge.submit(trade)


def _hand_over(end: asyncio.Future[Outcome], outcome: Future[Outcome]) -> None:
    if not outcome.set_running_or_notify_cancel():
        return
    if end.cancelled():
        outcome.set_exception(RegistrationError("the core was closed; the intent stays pending"))
    else:
        outcome.set_result(end.result())
