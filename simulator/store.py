"""The store: SQLite in write-ahead mode, synchronous=FULL, one writer thread, group commit.

Whatever waits is committed together, so that many registrations share one sync. A commit that
failed has changed nothing.
"""

from __future__ import annotations

import asyncio
import queue
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from simulator.death import Die, kill_this_process
from simulator.ledger import Registration
from simulator.persistence import (
    BATCH_MAX,
    BUSY_MS,
    QUEUE_MAX,
    SharedStore,
    StoreFailed,
    StoreFaults,
)
from simulator.row import registration_in, row_of

SCHEMA_VERSION = 1
FILE_NAME = "dtms.db"

Connect = Callable[..., sqlite3.Connection]
"""Called as `sqlite3.connect` is."""


@dataclass(slots=True)
class _Save:
    rows: Sequence[Registration]
    gone: Sequence[int]
    done: asyncio.Future[None]


class SqliteStore:
    """Open with `open`, in the event loop that will use it."""

    def __init__(
        self,
        folder: Path,
        now: Callable[[], datetime],
        *,
        connect: Connect = sqlite3.connect,
        die: Die = kill_this_process,
    ) -> None:
        self.path = folder / FILE_NAME
        self.faults = StoreFaults()
        self.writable = False
        self.set_aside: Path | None = None
        self.shared: SharedStore | None = None
        self._now = now
        self._die = die
        self._connect = connect
        self._queue: queue.Queue[_Save | None] = queue.Queue(QUEUE_MAX)
        self._thread: threading.Thread | None = None
        self._database: sqlite3.Connection | None = None
        self._locker: sqlite3.Connection | None = None

    async def open(self) -> tuple[Registration, ...]:
        """Every row there is. A corrupt file is set aside, never emptied. Raises `StoreFailed`."""
        self._loop = asyncio.get_running_loop()
        rows = await asyncio.to_thread(self._open)
        self.writable = True
        self._thread = threading.Thread(target=self._write, name="dtms-store", daemon=True)
        self._thread.start()
        return rows

    def save(self, rows: Sequence[Registration], gone: Sequence[int] = ()) -> asyncio.Future[None]:
        """Resolved when all rows are durable, and those of the tickets in `gone` removed.

        Fails with `StoreFailed`; then nothing was stored.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        try:
            if self._thread is None:
                raise StoreFailed("the store is closed")
            self._queue.put_nowait(_Save(rows, gone, done))
        except queue.Full:
            done.set_exception(StoreFailed(f"{QUEUE_MAX} commits wait already"))
        except StoreFailed as error:
            done.set_exception(error)
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
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put_nowait(None)
            await asyncio.to_thread(thread.join)
        self.lock(False)
        if self._database is not None:
            self._database.close()
            self._database = None

    def lock(self, held: bool) -> None:
        """Holds the write lock from another connection, as another process would, or lets go."""
        if held and self._locker is None:
            self._locker = self._connect(
                self.path, isolation_level=None, timeout=5.0, check_same_thread=False
            )
            self._locker.execute("BEGIN IMMEDIATE")
        elif not held and self._locker is not None:
            self._locker.close()
            self._locker = None

    def set_full(self, full: bool) -> None:
        """The file may not grow by a single page, as on a full disk, or may again."""
        self._pragma("max_page_count", 1 if full else 1_073_741_823)

    def set_read_only(self, read_only: bool) -> None:
        """Every write is refused, as on a disk mounted read-only, or accepted again."""
        self._pragma("query_only", int(read_only))

    def _pragma(self, name: str, value: int) -> None:
        assert self._database is not None
        self._database.execute(f"PRAGMA {name} = {value}").fetchall()

    def _open(self) -> tuple[Registration, ...]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return self._load()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise  # A disk that is full, or fails, is no corrupt file.
                self.set_aside = _set_aside(self.path, self._now())
                return self._load()
        except (sqlite3.Error, OSError, ValueError) as error:
            raise StoreFailed(f"{self.path} cannot be opened: {error}") from error

    def _load(self) -> tuple[Registration, ...]:
        database = self._connect(
            self.path, isolation_level=None, timeout=BUSY_MS / 1000, check_same_thread=False
        )
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            _check(database)
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise ValueError(f"written by a later version (schema {version})")
            database.execute(_TABLE)
            database.execute(_ROOM)
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            rows = tuple(registration_in(values) for values in database.execute(_SELECT))
        except BaseException:
            database.close()
            raise
        self._database = database
        return rows

    def _write(self) -> None:
        ended = False
        while not ended:
            batch: list[_Save] = []
            item = self._queue.get()
            while item is not None:
                batch.append(item)
                if len(batch) == BATCH_MAX or self._queue.empty():
                    break
                item = self._queue.get_nowait()
            ended = item is None
            if batch:
                error = self._commit(batch)
                self._loop.call_soon_threadsafe(self._tell, batch, error)

    def _commit(self, batch: Sequence[_Save]) -> StoreFailed | None:
        database, faults = self._database, self.faults
        assert database is not None
        try:
            if faults.slow_s:
                time.sleep(faults.slow_s)
            if faults.fails:
                raise sqlite3.OperationalError("disk I/O error")
            database.execute("BEGIN IMMEDIATE")
            for save in batch:
                database.executemany(_UPSERT, map(row_of, save.rows))
                if save.gone:
                    database.executemany(_DELETE, ((ticket,) for ticket in save.gone))
            writes = any(save.rows for save in batch)
            if not writes:
                database.execute(_TAKE_ROOM)
                database.execute(_GIVE_ROOM_BACK)
            faults.crash_before = self._count_down(faults.crash_before, writes)
            database.execute("COMMIT")
            faults.crash_after = self._count_down(faults.crash_after, writes)
        except sqlite3.Error as error:
            if database.in_transaction:
                database.execute("ROLLBACK")
            return StoreFailed(str(error))
        return None

    def _count_down(self, left: int | None, counts: bool) -> int | None:
        """One commit nearer to the planned crash; at none left, the process kills itself."""
        if left is None or not counts:
            return left
        if left <= 1:
            self._die()
        return left - 1

    def _tell(self, batch: Sequence[_Save], error: StoreFailed | None) -> None:
        self.writable = error is None
        for save in batch:
            if save.done.cancelled():
                continue
            if error is None:
                save.done.set_result(None)
            else:
                save.done.set_exception(error)


_NAMES = (
    "ticket, symbol, direction, entry_price, volume, stop_loss, take_profit, state, "
    "registered_at, last_updated"
)
_TABLE = (
    "CREATE TABLE IF NOT EXISTS trades (ticket INTEGER PRIMARY KEY, symbol TEXT NOT NULL, "
    "direction TEXT NOT NULL, entry_price REAL NOT NULL, volume REAL NOT NULL, stop_loss REAL, "
    "take_profit REAL, state TEXT NOT NULL, registered_at TEXT NOT NULL, "
    "last_updated TEXT NOT NULL)"
)
_SELECT = f"SELECT {_NAMES} FROM trades"
_UPSERT = f"INSERT OR REPLACE INTO trades ({_NAMES}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM trades WHERE ticket = ?"
_ROOM = "CREATE TABLE IF NOT EXISTS room (taken BLOB)"
_TAKE_ROOM = "INSERT INTO room VALUES (zeroblob(16384))"
_GIVE_ROOM_BACK = "DELETE FROM room"
"""A write that leaves nothing, to see whether the disk has room for one."""


_READ_ERROR = re.compile(r"error code=(\d+)")


def _check(database: sqlite3.Connection) -> None:
    """Raises `DatabaseError` where the file is damaged. The check reports a page that the disk
    did not read just now as if it were damage; that one is an `OperationalError`."""
    checked = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    code = _READ_ERROR.search(checked)
    if code is not None and int(code[1]) & 0xFF == sqlite3.SQLITE_IOERR:
        raise sqlite3.OperationalError(f"disk I/O error: {checked}")
    if checked != "ok":
        raise sqlite3.DatabaseError(checked)


def _set_aside(path: Path, now: datetime) -> Path:
    aside = path.with_name(f"{path.name}.corrupt-{now:%Y%m%dT%H%M%S.%fZ}")
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + suffix))
    return aside
