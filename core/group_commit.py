"""One thread that writes for many callers: whatever waits is committed together, so that a hundred
intents cost one sync."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from core.errors import OutboxFailed
from core.outbox import Change, Intent, answer_unwritten

QUEUE_MAX = 10_000
BATCH_MAX = 512
LINGER_S = 0.05
"""How long outcomes wait for company before they are written: nobody waits for them, and an
intent that comes along pays for the sync."""

T = TypeVar("T")


@dataclass(slots=True)
class Work:
    """`change` is told what is known of the ticket; it says what to write, and what to answer. What
    is `patient` is an outcome."""

    ticket: int
    change: Callable[[Intent | None], Change[Any]]
    future: Future[Any]
    patient: bool


class GroupCommit:
    """`commit` gets what no caller can cancel any more, and answers it. `known` is what memory has
    of a ticket. `rest`, if given, is called every `rest_every_s`, between commits."""

    def __init__(
        self,
        commit: Callable[[list[Work]], None],
        known: Callable[[int], Intent | None],
        *,
        rest: Callable[[], None] | None = None,
        rest_every_s: float = 0.0,
    ) -> None:
        self._commit = commit
        self._known = known
        self._rest = rest
        self._rest_every_s = rest_every_s
        self._rest_at = _now() + rest_every_s
        self._lock = threading.Lock()
        self._closed = False
        self._queue: queue.Queue[Work | None] = queue.Queue(QUEUE_MAX)
        self._thread = threading.Thread(target=self._write, name="dtms-outbox", daemon=True)
        self._thread.start()

    def submit(
        self,
        ticket: int,
        change: Callable[[Intent | None], Change[T]],
        *,
        patient: bool = False,
    ) -> Future[T]:
        """Done once it is durable; fails with `OutboxFailed`."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                future.set_exception(OutboxFailed("the outbox is closed"))
                return future
            try:
                self._queue.put_nowait(Work(ticket, change, future, patient))
            except queue.Full:
                failure = OutboxFailed(f"the outbox is full: {QUEUE_MAX} intents wait for the disk")
                answer_unwritten(change(self._known(ticket)), future, failure)
        return future

    def close(self) -> bool:
        """Commits all that waits, and ends the thread; whether it was open."""
        with self._lock:
            if self._closed:
                return False
            self._closed = True
        self._queue.put(None)
        self._thread.join()
        return True

    def _write(self) -> None:
        ended = False
        while not ended:
            try:
                first = self._queue.get(timeout=self._patience_s())
            except queue.Empty:
                first = None
            else:
                if first is None:
                    return
            if first is not None:
                batch, ended = self._gather(first)
                self._commit([w for w in batch if w.future.set_running_or_notify_cancel()])
            if self._rest is not None and _now() >= self._rest_at:
                self._rest()
                self._rest_at = _now() + self._rest_every_s

    def _patience_s(self) -> float | None:
        return None if self._rest is None else max(0.0, self._rest_at - _now())

    def _gather(self, first: Work) -> tuple[list[Work], bool]:
        """What waits already, and where all of it is patient, what comes within LINGER_S; and
        whether the end came."""
        batch, patient = [first], first.patient
        linger_until = _now() + LINGER_S
        while len(batch) < BATCH_MAX:
            left_s = linger_until - _now() if patient else 0.0
            try:
                item = self._queue.get(timeout=max(0.0, left_s))
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
            patient = patient and item.patient
        return batch, False


def _now() -> float:
    return time.monotonic()  # noqa: TID251 - how long this thread waits
