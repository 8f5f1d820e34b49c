"""The core's outbox on a simulated disk: the same decisions as in SQLite, the same promises.

What is put waits for one sync, shared with whatever came meanwhile; outcomes wait a little for
company, since nobody waits for them.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, cast

from core.alerts import Alert, Alerts
from core.errors import OutboxFailed
from core.events import Level
from core.outbox import Contradicted, Intent, IntentState, Stored, concluded, fallen_back, put_into
from core.outcome import Outcome
from core.trade import Trade
from simulator.deterministic.disk import Corrupt, Disk

FILE_NAME = "outbox"
LINGER_S = 0.05
"""How long outcomes wait for company before they are written."""
WAITING_MAX = 10_000
"""How many changes may wait for the disk."""

Change = Callable[[Intent | None], tuple[Intent | None, Any]]


class DiskOutbox:
    """Open it in its process; its changes are lost with that, its records are not."""

    def __init__(self, disk: Disk, alerts: Alerts) -> None:
        self._disk = disk
        self._file = disk.file(FILE_NAME)
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[int, Change, asyncio.Future[Any]]] = []
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
        return self._submit(trade.ticket, lambda known: put_into(known, trade, correlation_id))

    def conclude(self, outcome: Outcome) -> Future[None]:
        lingers = not self._waiting and not self._committing and not self._closed
        if lingers:
            self._lingering = self._loop.call_later(LINGER_S, self._linger_no_more)
        return self._submit(outcome.ticket, lambda known: (concluded(known, outcome), None))

    def fall_back(self, ticket: int) -> Future[Intent | None]:
        self._stop_lingering()
        return self._submit(ticket, fallen_back)

    def pending(self) -> tuple[Intent, ...]:
        return tuple(i for i in self._intents.values() if i.state == "PENDING")

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

    def _submit(self, ticket: int, change: Change) -> Future[Any]:
        done = self._loop.create_future()
        # A future of the loop has the face of a thread's, and costs a tenth.
        promised = cast("Future[Any]", done)
        if self._closed:
            done.set_exception(OutboxFailed("the outbox is closed"))
        elif len(self._waiting) >= WAITING_MAX:
            done.set_exception(OutboxFailed(f"{WAITING_MAX} changes wait for the disk"))
        else:
            self._waiting.append((ticket, change, done))
            self._commit_soon()
        return promised

    def _commit_soon(self) -> None:
        if not self._committing and self._lingering is None:
            self._committing = True
            self._loop.create_task(self._commit_all())

    def _linger_no_more(self) -> None:
        self._lingering = None
        self._commit_soon()

    def _stop_lingering(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None

    async def _commit_all(self) -> None:
        try:
            while self._waiting and not self._closed:
                batch, self._waiting = self._waiting, []
                length = len(self._file.records)
                try:
                    staged, results = self._write(batch)
                    if staged:
                        await self._file.sync()
                except OSError as error:
                    self._file.cut(length)
                    self._refuse(batch, error)
                    continue
                self._intents.update(staged)
                for (_ticket, _change, done), result in zip(batch, results, strict=True):
                    if not done.done():
                        done.set_result(result)
        finally:
            self._committing = False

    def _write(
        self, batch: list[tuple[int, Change, asyncio.Future[Any]]]
    ) -> tuple[dict[int, Intent], list[Any]]:
        """One record for the batch, which is there as a whole or not at all."""
        staged: dict[int, Intent] = {}
        results = []
        for ticket, change, _done in batch:
            intent, result = change(staged.get(ticket) or self._intents.get(ticket))
            results.append(result)
            if intent is not None:
                staged[ticket] = intent
        if staged:
            self._file.append(tuple(staged.values()))
        return staged, results

    def _refuse(self, batch: list[tuple[int, Change, asyncio.Future[Any]]], error: OSError) -> None:
        """What has nothing to write, and follows on nothing that had, is true without its batch."""
        what = errno.errorcode.get(error.errno or 0, "EIO")
        failed: set[int] = set()
        for ticket, change, done in batch:
            intent, result = change(self._intents.get(ticket))
            if intent is not None or ticket in failed:
                failed.add(ticket)
            if done.done():
                continue
            if ticket in failed:
                done.set_exception(OutboxFailed(f"not durable: {what}"))
                done.exception()  # whoever waits is told; for an outcome nobody need
            else:
                done.set_result(result)
