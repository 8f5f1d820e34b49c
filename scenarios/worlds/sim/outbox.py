"""The core's outbox on a simulated disk: the same decisions as in SQLite, the same promises.

What is put waits for one sync, shared with whatever came meanwhile; outcomes wait a little for
company, since nobody waits for them.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar, cast

from core.alerts import Alert, Alerts
from core.errors import OutboxFailed
from core.events import Level
from core.outbox import (
    Change,
    Contradicted,
    Intent,
    IntentState,
    Stored,
    answer_unwritten,
    concluded,
    fallen_back,
    put_into,
)
from core.outcome import Outcome
from core.trade import Trade
from simulator.deterministic.disk import Corrupt, Disk

FILE_NAME = "outbox"
LINGER_S = 0.05
"""How long outcomes wait for company before they are written."""
WAITING_MAX = 10_000
"""How many changes may wait for the disk."""

Changing = Callable[[Intent | None], Change[Any]]
P = TypeVar("P", "asyncio.Future[Any]", "Promise")


class Promise:
    """What a thread's future is to whoever does not wait for it, without the locks."""

    __slots__ = ("_callbacks", "_done", "_error", "_result")

    def __init__(self) -> None:
        self._done = False
        self._result: object = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Any], object]] = []

    def done(self) -> bool:
        return self._done

    def exception(self) -> BaseException | None:
        return self._error

    def result(self) -> object:
        if self._error is not None:
            raise self._error
        return self._result

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Called when it is told, at once where it is told already."""
        if self._done:
            callback(self)
        else:
            self._callbacks.append(callback)

    def set_result(self, result: object) -> None:
        self._result = result
        self._tell()

    def set_exception(self, error: BaseException) -> None:
        self._error = error
        self._tell()

    def _tell(self) -> None:
        self._done = True
        for callback in self._callbacks:
            callback(self)


Batch = list[tuple[int, Changing, "asyncio.Future[Any] | Promise"]]


class DiskOutbox:
    """Open it in its process; its changes are lost with that, its records are not."""

    def __init__(self, disk: Disk, alerts: Alerts) -> None:
        self._disk = disk
        self._file = disk.file(FILE_NAME)
        self._loop = asyncio.get_running_loop()
        self._waiting: Batch = []
        self._committing = False
        self._lingering: asyncio.TimerHandle | None = None
        self._closed = False
        try:
            records = self._file.read()
        except Corrupt:
            aside = f"{FILE_NAME}.corrupt-{len(disk.names)}"
            disk.move(FILE_NAME, aside)
            self._file = disk.file(FILE_NAME)
            records = ()
            reason = f"it was corrupt and is kept as {aside}"
            alerts.raise_alert(Alert(Level.CRITICAL, "outbox_set_aside", None, reason))
        self._intents: dict[int, Intent] = {}
        for record in records:
            for intent in cast("tuple[Intent, ...]", record):
                self._intents[intent.ticket] = intent

    def put(self, trade: Trade, correlation_id: str) -> Future[Stored | Contradicted]:
        self._stop_lingering()
        change = lambda known: put_into(known, trade, correlation_id)  # noqa: E731
        done = self._submit(trade.ticket, change, self._loop.create_future())
        # A future of the loop has the face of a thread's, and costs a tenth.
        return cast("Future[Stored | Contradicted]", done)

    def conclude(self, outcome: Outcome) -> Future[None]:
        """Nobody waits for it in the loop, so it is told at once, as a thread's future is."""
        lingers = not self._waiting and not self._committing and not self._closed
        if lingers:
            self._lingering = self._loop.call_later(LINGER_S, self._linger_no_more)
        change = lambda known: concluded(known, outcome)  # noqa: E731
        return cast("Future[None]", self._submit(outcome.ticket, change, Promise()))

    def fall_back(self, ticket: int) -> Future[Intent | None]:
        self._stop_lingering()
        done = self._submit(ticket, fallen_back, self._loop.create_future())
        return cast("Future[Intent | None]", done)

    def pending(self) -> tuple[Intent, ...]:
        return tuple(i for i in self._intents.values() if i.state == "PENDING")

    def due(self) -> tuple[Intent, ...]:
        return self.pending()

    def outcomes(self) -> dict[int, IntentState]:
        return {ticket: intent.state for ticket, intent in self._intents.items()}

    def close(self) -> None:
        """What waits is written; a sync that it needs is not waited for."""
        if self._closed:
            return
        self._closed = True
        self._stop_lingering()
        if self._waiting:
            try:
                self._write(self._waiting)
            except OSError as error:
                self._refuse(self._waiting, error)

    def _submit(self, ticket: int, change: Changing, done: P) -> P:
        if self._closed:
            done.set_exception(OutboxFailed("the outbox is closed"))
        elif len(self._waiting) >= WAITING_MAX:
            failure = OutboxFailed(f"{WAITING_MAX} changes wait for the disk")
            answer_unwritten(change(self._intents.get(ticket)), done, failure)
        else:
            self._waiting.append((ticket, change, done))
            if self._lingering is None:
                self._commit()
        return done

    def _commit(self) -> None:
        """One commit after the other; what comes during one shares the next."""
        while self._waiting and not self._committing and not self._closed:
            batch, self._waiting = self._waiting, []
            length = len(self._file.records)
            try:
                staged, results = self._write(batch)
            except OSError as error:
                self._file.cut(length)
                self._refuse(batch, error)
                continue
            if staged:
                self._committing = True
                self._file.sync_then(partial(self._committed, batch, length, staged, results))
            else:
                _tell(batch, results)

    def _committed(
        self,
        batch: Batch,
        length: int,
        staged: dict[int, Intent],
        results: list[Any],
        error: OSError | None,
    ) -> None:
        self._committing = False
        if error is None:
            self._intents.update(staged)
            _tell(batch, results)
        else:
            self._file.cut(length)
            self._refuse(batch, error)
        self._commit()

    def _linger_no_more(self) -> None:
        self._lingering = None
        self._commit()

    def _stop_lingering(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None

    def _write(self, batch: Batch) -> tuple[dict[int, Intent], list[Any]]:
        """One record for the batch, which is there as a whole or not at all."""
        staged: dict[int, Intent] = {}
        results = []
        for ticket, change, _done in batch:
            intent, result, _unwritten = change(staged.get(ticket) or self._intents.get(ticket))
            results.append(result)
            if intent is not None:
                staged[ticket] = intent
        if staged:
            self._file.append(tuple(staged.values()))
        return staged, results

    def _refuse(self, batch: Batch, error: OSError) -> None:
        failure = OutboxFailed(f"not durable: {errno.errorcode.get(error.errno or 0, 'EIO')}")
        for ticket, change, done in batch:
            if not done.done():
                answer_unwritten(change(self._intents.get(ticket)), done, failure)
                done.exception()  # whoever waits is told; for an outcome nobody need


def _tell(batch: Batch, results: list[Any]) -> None:
    for (_ticket, _change, done), result in zip(batch, results, strict=True):
        if not done.done():
            done.set_result(result)
