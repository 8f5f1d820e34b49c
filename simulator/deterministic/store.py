"""A store on a simulated disk: group commit in virtual time, no thread, no SQL.

Keeps the promises of `SqliteStore` and fails as it does. A commit is one record: the batch of
saves, whole or not at all. Opening folds the records to rows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import PurePath

import msgspec

from simulator.death import Die
from simulator.deterministic.disk import Corrupt, Disk, File
from simulator.ledger import Registration
from simulator.persistence import BATCH_MAX, BUSY_MS, QUEUE_MAX, StoreFailed, StoreFaults

FILE_NAME = "dtms.db"


class Save(msgspec.Struct, frozen=True):
    """The part of a commit that one caller asked for."""

    rows: tuple[Registration, ...]
    gone: tuple[int, ...]


class DiskStore:
    """Open with `open`, in the event loop that will use it. `die` is what crash faults do."""

    def __init__(
        self, disk: Disk, now: Callable[[], datetime], *, die: Die, name: str = FILE_NAME
    ) -> None:
        self.faults = StoreFaults()
        self.writable = False
        self.set_aside: PurePath | None = None
        self._disk = disk
        self._now = now
        self._die = die
        self._name = name
        self._waiting: deque[tuple[Save, asyncio.Future[None]]] = deque()
        self._idle: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None
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
            await _commit(file, ())
        except OSError as error:
            raise StoreFailed(f"{self._name} cannot be opened: {error.strerror}") from error
        self._closing = False
        self._full = self._read_only = False
        self.writable = True
        self._writer = asyncio.get_running_loop().create_task(self._write(file))
        return _folded(records)

    def save(self, rows: Sequence[Registration], gone: Sequence[int] = ()) -> asyncio.Future[None]:
        """Resolved when all rows are durable, and those of the tickets in `gone` removed.

        Fails with `StoreFailed`; then nothing was stored.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._writer is None or self._closing:
            done.set_exception(StoreFailed("the store is closed"))
        elif len(self._waiting) >= QUEUE_MAX:
            done.set_exception(StoreFailed(f"{QUEUE_MAX} commits wait already"))
        else:
            self._waiting.append((Save(tuple(rows), tuple(gone)), done))
            self._wake()
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
        writer = self._writer
        if writer is not None:
            self._closing = True
            self._wake()
            await writer
            self._writer = None
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

    def _wake(self) -> None:
        idle = self._idle
        if idle is not None and not idle.done():
            idle.set_result(None)

    async def _write(self, file: File) -> None:
        """One commit after the other; what comes during one shares the next."""
        loop, waiting = asyncio.get_running_loop(), self._waiting
        while waiting or not self._closing:
            if not waiting:
                self._idle = loop.create_future()
                await self._idle
                self._idle = None
                continue
            batch = [waiting.popleft() for _ in range(min(BATCH_MAX, len(waiting)))]
            error = await self._attempt(file, tuple(save for save, _done in batch))
            self.writable = error is None
            for _save, done in batch:
                if done.done():
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)

    async def _attempt(self, file: File, saves: tuple[Save, ...]) -> StoreFailed | None:
        faults = self.faults
        writes = any(save.rows for save in saves)
        if faults.slow_s:
            await asyncio.sleep(faults.slow_s)
        if self._locked and not faults.fails:
            await asyncio.sleep(BUSY_MS / 1000)
        refusal = self._refusal()
        if refusal:
            return StoreFailed(refusal)
        faults.crash_before = await self._count_down(faults.crash_before, writes)
        try:
            await _commit(file, saves)
        except OSError as error:
            return StoreFailed(error.strerror)
        faults.crash_after = await self._count_down(faults.crash_after, writes)
        return None

    def _refusal(self) -> str:
        """Why a commit fails before it reaches the disk, in SQLite's words; empty for none."""
        if self.faults.fails:
            return "disk I/O error"
        if self._locked:
            return "database is locked"
        if self._read_only:
            return "attempt to write a readonly database"
        return "database or disk is full" if self._full else ""

    async def _count_down(self, left: int | None, counts: bool) -> int | None:
        """One commit nearer to the planned crash; at none left, the process dies."""
        if left is None or not counts:
            return left
        if left <= 1:
            self._die()
            # Until the process is taken away it does nothing.
            await asyncio.get_running_loop().create_future()
        return left - 1

    def _set_aside(self) -> PurePath:
        aside = f"{self._name}.corrupt-{self._now():%Y%m%dT%H%M%S.%fZ}"
        self._disk.move(self._name, aside)
        return PurePath(aside)


async def _commit(file: File, saves: tuple[Save, ...]) -> None:
    """Durable, or as if it had never been. Raises `OSError`."""
    length = len(file.records)
    try:
        file.append(saves)
        await file.sync()
    except OSError:
        file.cut(length)
        raise


def _folded(records: Sequence[object]) -> tuple[Registration, ...]:
    rows: dict[int, Registration] = {}
    for saves in records:
        assert isinstance(saves, tuple)
        for save in saves:
            rows.update((row.ticket, row) for row in save.rows)
            for ticket in save.gone:
                rows.pop(ticket, None)
    return tuple(rows[ticket] for ticket in sorted(rows))
