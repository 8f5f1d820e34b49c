"""A store on a simulated disk: group commit in virtual time, no thread, no SQL.

Keeps the promises of `SqliteStore` and fails as it does. A commit is one record: the batch of
saves, whole or not at all. Opening folds the records to rows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import PurePath

import msgspec

from simulator.death import Die
from simulator.deterministic.disk import Corrupt, Disk, File
from simulator.ledger import Registration
from simulator.persistence import (
    BATCH_MAX,
    BUSY_MS,
    QUEUE_MAX,
    SharedStore,
    StoreFailed,
    StoreFaults,
)

FILE_NAME = "dtms.db"


class Save(msgspec.Struct, frozen=True, gc=False):
    """The part of a commit that one caller asked for."""

    rows: tuple[Registration, ...]
    gone: tuple[int, ...]


Waiting = tuple[Save, asyncio.Future[None]]


class DiskStore:
    """Open with `open`, in the event loop that will use it. `die` is what crash faults do."""

    def __init__(
        self, disk: Disk, now: Callable[[], datetime], *, die: Die, name: str = FILE_NAME
    ) -> None:
        self.faults = StoreFaults()
        self.writable = False
        self.set_aside: PurePath | None = None
        self.shared: SharedStore | None = None
        self._disk = disk
        self._now = now
        self._die = die
        self._name = name
        self._waiting: deque[Waiting] = deque()
        self._file: File | None = None
        self._committing = False
        self._ended: asyncio.Future[None] | None = None
        """For whoever waits, when closing, until nothing is left to commit."""
        self._closing = False
        self._locked = self._full = self._read_only = False

    async def open(self) -> tuple[Registration, ...]:
        """Every row there is, by ticket. A corrupt file is set aside, never emptied.

        Writes and syncs once, as SQLite does for its schema. Raises `StoreFailed`.
        """
        try:
            file = self._disk.file(self._name)
            try:
                records = file.read()
            except Corrupt:
                self.set_aside = self._set_aside()
                file, records = self._disk.file(self._name), ()
            await _write_schema(file)
        except OSError as error:
            raise StoreFailed(f"{self._name} cannot be opened: {error.strerror}") from error
        self._closing = False
        self._full = self._read_only = False
        self.writable = True
        self._committing = False
        self._file = file
        return _folded(records)

    def save(self, rows: Sequence[Registration], gone: Sequence[int] = ()) -> asyncio.Future[None]:
        """Resolved when all rows are durable, and those of the tickets in `gone` removed.

        Fails with `StoreFailed`; then nothing was stored.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._file is None or self._closing:
            done.set_exception(StoreFailed("the store is closed"))
        elif len(self._waiting) >= QUEUE_MAX:
            done.set_exception(StoreFailed(f"{QUEUE_MAX} commits wait already"))
        else:
            self._waiting.append((Save(tuple(rows), tuple(gone)), done))
            if not self._committing:
                # Not at once: what comes at the same moment shares the commit.
                self._committing = True
                asyncio.get_running_loop().call_soon(self._commit)
        return done

    async def probe(self) -> bool:
        """Whether a commit succeeds now."""
        try:
            await self.save(())
        except StoreFailed:
            return False
        return True

    async def close(self) -> None:
        """Commits all that waits, and lets the file go."""
        if self._file is not None:
            self._closing = True
            if self._committing:
                self._ended = asyncio.get_running_loop().create_future()
                await self._ended
            self._file = None
        self._locked = False

    def lock(self, held: bool) -> None:
        """Holds the write lock as another process would, or lets go."""
        self._locked = held

    def set_full(self, full: bool) -> None:
        """The file may not grow, as on a full disk, or may again."""
        self._full = full

    def set_read_only(self, read_only: bool) -> None:
        """Every write is refused, as on a disk mounted read-only, or accepted again."""
        self._read_only = read_only

    def _commit(self) -> None:
        """One commit after the other; what comes during one shares the next."""
        waiting = self._waiting
        if not waiting:
            self._committing = False
            if self._ended is not None:
                self._ended.set_result(None)
                self._ended = None
            return
        batch = [waiting.popleft() for _ in range(min(BATCH_MAX, len(waiting)))]
        if self.faults.slow_s:
            loop = asyncio.get_running_loop()
            loop.call_later(self.faults.slow_s, self._wait_for_lock, batch)
        else:
            self._wait_for_lock(batch)

    def _wait_for_lock(self, batch: list[Waiting]) -> None:
        if self._locked and not self.faults.fails:
            asyncio.get_running_loop().call_later(BUSY_MS / 1000, self._attempt, batch)
        else:
            self._attempt(batch)

    def _attempt(self, batch: list[Waiting]) -> None:
        refusal = self._refusal()
        if refusal:
            self._tell(batch, StoreFailed(refusal))
            return
        faults, saves = self.faults, tuple(save for save, _done in batch)
        if faults.crash_before is not None and _writes(saves):
            faults.crash_before = left = faults.crash_before - 1
            if left <= 0:
                self._die()
                return  # Until the process is taken away it does nothing.
        assert self._file is not None
        self._make_durable(self._file, saves, partial(self._committed, batch, saves))

    def _make_durable(
        self, file: File, saves: tuple[Save, ...], done: Callable[[OSError | None], None]
    ) -> None:
        """`done` is told when it is durable, or why it is not."""
        _durably(file, saves, done)

    def _committed(
        self, batch: list[Waiting], saves: tuple[Save, ...], error: OSError | None
    ) -> None:
        faults = self.faults
        if error is None and faults.crash_after is not None and _writes(saves):
            faults.crash_after = left = faults.crash_after - 1
            if left <= 0:
                self._die()
                return
        self._tell(batch, None if error is None else StoreFailed(error.strerror))

    def _tell(self, batch: list[Waiting], error: StoreFailed | None) -> None:
        self.writable = error is None
        for _save, done in batch:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)
        self._commit()

    def _refusal(self) -> str:
        """Why a commit fails before it reaches the disk, in SQLite's words; empty for none."""
        if self.faults.fails:
            return "disk I/O error"
        if self._locked:
            return "database is locked"
        if self._read_only:
            return "attempt to write a readonly database"
        return "database or disk is full" if self._full else ""

    def _set_aside(self) -> PurePath:
        aside = f"{self._name}.corrupt-{self._now():%Y%m%dT%H%M%S.%fZ}"
        self._disk.move(self._name, aside)
        return PurePath(aside)


async def _write_schema(file: File) -> None:
    """Raises `OSError`."""
    written: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(error: OSError | None) -> None:
        if error is None:
            written.set_result(None)
        else:
            written.set_exception(error)

    _durably(file, (), done)
    await written


def _durably(file: File, saves: tuple[Save, ...], done: Callable[[OSError | None], None]) -> None:
    """Durable, or as if it had never been."""
    length = len(file.records)
    try:
        file.append(saves)
    except OSError as error:
        file.cut(length)
        done(error)
        return

    def synced(error: OSError | None) -> None:
        if error is not None:
            file.cut(length)
        done(error)

    file.sync_then(synced)


def _writes(saves: tuple[Save, ...]) -> bool:
    """Whether it counts for a planned crash."""
    return any(save.rows for save in saves)


def _folded(records: Sequence[object]) -> tuple[Registration, ...]:
    rows: dict[int, Registration] = {}
    for saves in records:
        assert isinstance(saves, tuple)
        for save in saves:
            rows.update((row.ticket, row) for row in save.rows)
            for ticket in save.gone:
                rows.pop(ticket, None)
    return tuple(rows[ticket] for ticket in sorted(rows))
