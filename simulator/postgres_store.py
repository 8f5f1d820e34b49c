"""The store on a PostgreSQL server, which several processes may share.

The database decides: who is first with a ticket is told by its unique key, and a change names what
it changes. Whatever waits is committed together, by a few workers with a connection each; one that
was lost is replaced. An operation whose connection is lost is tried once more on a new one: before
the COMMIT nothing of it can be stored, and after it the database knows what is.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import LiteralString

import psycopg
from psycopg import AsyncConnection

from simulator.death import Die, kill_this_process
from simulator.ledger import Registration
from simulator.persistence import BATCH_MAX, QUEUE_MAX, StoreDoubtful, StoreFailed, StoreFaults
from simulator.row import registration_in, row_of

ATTEMPTS_MAX = 2
"""The second only where the first has lost its connection."""
LOCKER_S_MAX = 5


@dataclass(frozen=True, slots=True)
class PostgresLimits:
    """What bounds every wait for the database.

    `connections` are kept by each process. A connection must come about within `connect_s`; the
    server gives up waiting for a lock after `lock_s`, and a statement after `statement_s`; one
    that has said nothing for `answer_s` is taken for dead.
    """

    connections: int = 4
    connect_s: float = 2.0
    lock_s: float = 1.0
    statement_s: float = 2.0
    answer_s: float = 3.0


@dataclass(slots=True)
class _Save:
    rows: Sequence[Registration]
    gone: Sequence[int]
    done: asyncio.Future[None]


@dataclass(slots=True)
class _Swap:
    before: Registration | None
    after: Registration
    done: asyncio.Future[Registration | None]


@dataclass(slots=True)
class _Find:
    """What is stored under the ticket; under all of them for None."""

    ticket: int | None
    done: asyncio.Future[tuple[Registration, ...]]


_Work = _Save | _Swap | _Find


@dataclass(slots=True)
class _Batch:
    """What shares a transaction. `committing` once COMMIT may have reached the server."""

    work: Sequence[_Work]
    again: bool = False
    committing: bool = False
    finds: list[_Find] = field(init=False)
    saves: list[_Save] = field(init=False)
    claims: list[_Swap] = field(init=False)
    changes: list[_Swap] = field(init=False)

    def __post_init__(self) -> None:
        self.finds = [item for item in self.work if isinstance(item, _Find)]
        self.saves = [item for item in self.work if isinstance(item, _Save)]
        swaps = [item for item in self.work if isinstance(item, _Swap)]
        # By ticket: processes that take locks in the same order never wait for each other in turn.
        swaps.sort(key=lambda swap: swap.after.ticket)
        self.claims = [swap for swap in swaps if swap.before is None]
        self.changes = [swap for swap in swaps if swap.before is not None]

    @property
    def writes(self) -> bool:
        return bool(self.claims or self.changes) or any(save.rows for save in self.saves)


class PostgresStore:
    """Open with `open`, in the event loop that will use it. `name` is this process's own: it says
    which rows it was that stored them first."""

    def __init__(
        self,
        url: str,
        name: str,
        *,
        limits: PostgresLimits = PostgresLimits(),
        die: Die = kill_this_process,
    ) -> None:
        self.faults = StoreFaults()
        self.writable = False
        self.set_aside = None
        self._url = url
        self._name = name
        self._limits = limits
        self._die = die
        self._queue: asyncio.Queue[_Work | None] = asyncio.Queue(QUEUE_MAX)
        self._workers: tuple[asyncio.Task[None], ...] = ()
        self._locker: psycopg.Connection | None = None
        self._full = self._read_only = False

    @property
    def shared(self) -> PostgresStore:
        """Other processes may write to it as well."""
        return self

    async def open(self) -> tuple[Registration, ...]:
        """Every row there is, by ticket; the schema is brought up to date. Raises `StoreFailed`."""
        self._full = self._read_only = False
        try:
            line = await self._connect()
            try:
                with self._bounded(line):
                    await _migrate(line)
                    rows = await _all(line)
            finally:
                await line.close()
        except (psycopg.Error, OSError, ValueError) as error:
            raise StoreFailed(f"the database cannot be used: {_words(error)}") from error
        self.writable = True
        self._workers = tuple(
            asyncio.create_task(self._serve()) for _ in range(self._limits.connections)
        )
        return rows

    def save(self, rows: Sequence[Registration], gone: Sequence[int] = ()) -> asyncio.Future[None]:
        """Resolved when all rows are durable, whatever was there, and those in `gone` removed.

        Fails with `StoreFailed`; then nothing was stored.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._submit(_Save(rows, gone, done))
        return done

    def swap(
        self, before: Registration | None, after: Registration
    ) -> asyncio.Future[Registration | None]:
        """Stores `after` where `before` is what is stored, None for nothing.

        Resolved with None when that is durable, else with what is stored instead. Fails with
        `StoreFailed`, or with `StoreDoubtful`.
        """
        done: asyncio.Future[Registration | None] = asyncio.get_running_loop().create_future()
        self._submit(_Swap(before, after, done))
        return done

    async def find(self, ticket: int) -> Registration | None:
        """What is stored under the ticket. Raises `StoreFailed`."""
        return next(iter(await self._find(ticket)), None)

    async def rows(self) -> tuple[Registration, ...]:
        """Every row there is, by ticket. Raises `StoreFailed`."""
        return await self._find(None)

    async def probe(self) -> bool:
        """Whether a commit succeeds now."""
        try:
            await self.save(())
        except StoreFailed:
            return False
        return True

    async def close(self) -> None:
        """Commits all that waits, and lets the connections go."""
        workers, self._workers = self._workers, ()
        for _worker in workers:
            await self._queue.put(None)
        await asyncio.gather(*workers)
        self.lock(False)

    def lock(self, held: bool) -> None:
        """Keeps everybody from writing, from another connection, or lets go."""
        if held and self._locker is None:
            timeout_ms = LOCKER_S_MAX * 1000
            self._locker = psycopg.connect(self._url, connect_timeout=LOCKER_S_MAX)
            self._locker.execute(f"SET LOCAL lock_timeout = {timeout_ms}")
            self._locker.execute("LOCK TABLE dtms_trades IN EXCLUSIVE MODE")
        elif not held and self._locker is not None:
            self._locker.close()
            self._locker = None

    def set_full(self, full: bool) -> None:
        """Every write is refused, as on a server whose disk is full, or accepted again."""
        self._full = full

    def set_read_only(self, read_only: bool) -> None:
        """Every transaction may only read, as on a server in recovery, or may write again."""
        self._read_only = read_only

    async def _find(self, ticket: int | None) -> tuple[Registration, ...]:
        done: asyncio.Future[tuple[Registration, ...]] = asyncio.get_running_loop().create_future()
        self._submit(_Find(ticket, done))
        return await done

    def _submit(self, work: _Work) -> None:
        try:
            if not self._workers:
                raise StoreFailed("the store is closed")
            self._queue.put_nowait(work)
        except asyncio.QueueFull:
            work.done.set_exception(StoreFailed(f"{QUEUE_MAX} commits wait already"))
        except StoreFailed as error:
            work.done.set_exception(error)

    async def _serve(self) -> None:
        """One worker: takes what waits, has it carried out on its connection, and tells."""
        line: AsyncConnection | None = None
        while (first := await self._queue.get()) is not None:
            line = await self._settle(_Batch((first, *self._waiting())), line)
        if line is not None:
            await line.close()

    def _waiting(self) -> Iterator[_Work]:
        for _more in range(BATCH_MAX - 1):
            if self._queue.empty():
                return
            work = self._queue.get_nowait()
            if work is None:
                self._queue.put_nowait(None)
                return
            yield work

    async def _settle(self, batch: _Batch, line: AsyncConnection | None) -> AsyncConnection | None:
        """Carries out and tells; returns the connection to go on with."""
        is_doubtful = False
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                line = line or await self._connect()
                await self._read(line, batch)
                if batch.saves or batch.claims or batch.changes:
                    self._tell(batch, await self._commit(line, batch))
                return line
            except (psycopg.Error, OSError, ValueError, StoreFailed) as failure:
                was_lost = line is not None and line.closed
                if line is not None:
                    await line.close()
                    line = None
                is_doubtful = is_doubtful or (was_lost and batch.committing)
                batch.committing, batch.again = False, True
                if not was_lost or attempt == ATTEMPTS_MAX:
                    self._tell_failure(batch, failure, is_doubtful)
                    break
        return line

    async def _read(self, line: AsyncConnection, batch: _Batch) -> None:
        waiting = [find for find in batch.finds if not find.done.done()]
        if not waiting:
            return
        with self._bounded(line):
            if any(find.ticket is None for find in waiting):
                found = await _all(line)
            else:
                found = await _under(line, [find.ticket for find in waiting])
        by_ticket = {row.ticket: row for row in found}
        for find in waiting:
            if find.ticket is None:
                find.done.set_result(found)
            else:
                row = by_ticket.get(find.ticket)
                find.done.set_result(() if row is None else (row,))

    async def _commit(self, line: AsyncConnection, batch: _Batch) -> list[Registration | None]:
        """What each claim, then each change, found in its place; None where it was carried out."""
        faults = self.faults
        if faults.slow_s:
            await asyncio.sleep(faults.slow_s)
        if faults.fails:
            raise StoreFailed("disk I/O error")
        with self._bounded(line):
            await line.execute("BEGIN READ ONLY" if self._read_only else "BEGIN")
            held = await self._claim(line, batch)
            held += await _change(line, batch.changes)
            await _overwrite(line, batch.saves)
            if not batch.writes:
                for statement in _TRY_TO_WRITE:
                    await line.execute(statement)
            if self._full:
                raise StoreFailed("could not extend file: No space left on device")
            faults.crash_before = self._count_down(faults.crash_before, batch.writes)
            batch.committing = True
            await line.execute("COMMIT", prepare=False)
            batch.committing = False
            faults.crash_after = self._count_down(faults.crash_after, batch.writes)
        return held

    async def _claim(self, line: AsyncConnection, batch: _Batch) -> list[Registration | None]:
        """The first row of a ticket is stored; for each of the others, the row that is there."""
        claims = batch.claims
        if not claims:
            return []
        columns = zip(*(row_of(claim.after) for claim in claims), strict=True)
        cursor = await line.execute(_CLAIM, (self._name, *map(list, columns)))
        fresh = {ticket for (ticket,) in await cursor.fetchall()}
        there: dict[int, tuple[Registration, str]] = {}
        if len(fresh) < len(claims):
            cursor = await line.execute(_SELECT_CLAIMED, ([c.after.ticket for c in claims],))
            there = {
                row[0]: (registration_in(row[:-1]), row[-1]) for row in await cursor.fetchall()
            }
        held: list[Registration | None] = []
        for claim in claims:
            ticket = claim.after.ticket
            if ticket in fresh:
                fresh.discard(ticket)
                held.append(None)
                continue
            if ticket not in there:
                raise StoreFailed(f"ticket {ticket} was removed meanwhile")
            row, name = there[ticket]
            # After a COMMIT without an answer, our own row is what that COMMIT left.
            ours = batch.again and name == self._name and row == claim.after
            held.append(None if ours else row)
        return held

    def _count_down(self, left: int | None, counts: bool) -> int | None:
        """One commit nearer to the planned crash; at none left, the process kills itself."""
        if left is None or not counts:
            return left
        if left <= 1:
            self._die()
        return left - 1

    def _tell(self, batch: _Batch, held: Sequence[Registration | None]) -> None:
        self.writable = True
        for swap, row in zip((*batch.claims, *batch.changes), held, strict=True):
            if not swap.done.done():
                swap.done.set_result(row)
        for save in batch.saves:
            if not save.done.done():
                save.done.set_result(None)

    def _tell_failure(self, batch: _Batch, failure: Exception, is_doubtful: bool) -> None:
        if batch.saves or batch.claims or batch.changes:
            self.writable = False
        kind = StoreDoubtful if is_doubtful else StoreFailed
        for item in batch.work:
            if not item.done.done():
                item.done.set_exception(kind(_words(failure)))

    async def _connect(self) -> AsyncConnection:
        async with asyncio.timeout(self._limits.connect_s):
            line = await AsyncConnection.connect(self._url, autocommit=True)
        try:
            with self._bounded(line):
                for name, seconds in (
                    ("lock_timeout", self._limits.lock_s),
                    ("statement_timeout", self._limits.statement_s),
                    ("idle_in_transaction_session_timeout", self._limits.answer_s),
                ):
                    await line.execute(_SET, (name, f"{round(seconds * 1000)}ms"))
                await line.execute(_SYNCHRONOUS)
        except BaseException:
            await line.close()
            raise
        return line

    @contextmanager
    def _bounded(self, line: AsyncConnection) -> Iterator[None]:
        """Hangs up after `answer_s`: a server that is stopped, or a network that swallows, keeps no
        promise about time. Whoever waits for its answer then sees a lost connection."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._limits.answer_s, _hang_up, line)
        try:
            yield
        finally:
            timer.cancel()


def _hang_up(line: AsyncConnection) -> None:
    if not line.closed:
        with socket.socket(fileno=os.dup(line.fileno())) as ended:
            ended.shutdown(socket.SHUT_RDWR)


def _words(failure: Exception) -> str:
    """One line, without where and how the server found it."""
    primary = failure.diag.message_primary if isinstance(failure, psycopg.Error) else None
    if isinstance(failure, TimeoutError):
        return "no connection came about in time"
    return " ".join((primary or str(failure)).split())


async def _migrate(line: AsyncConnection) -> None:
    """Brings the schema up to date, one process at a time. Raises `ValueError` for a later one."""
    async with line.transaction():
        await line.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        cursor = await line.execute("SELECT to_regclass('dtms_store_schema') IS NOT NULL")
        if await cursor.fetchone() == (False,):
            await line.execute("CREATE TABLE dtms_store_schema (version integer NOT NULL)")
            await line.execute("INSERT INTO dtms_store_schema VALUES (0)")
        cursor = await line.execute("SELECT version FROM dtms_store_schema")
        (version,) = await cursor.fetchone() or (0,)
        if version > SCHEMA_VERSION:
            raise ValueError(
                f"written by a later version (schema {version}, this one knows {SCHEMA_VERSION})"
            )
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                await line.execute(statement)
        if version < SCHEMA_VERSION:
            await line.execute("UPDATE dtms_store_schema SET version = %s", (SCHEMA_VERSION,))


async def _all(line: AsyncConnection) -> tuple[Registration, ...]:
    cursor = await line.execute(f"{_SELECT} ORDER BY ticket")
    return tuple(registration_in(row) for row in await cursor.fetchall())


async def _under(line: AsyncConnection, tickets: Sequence[int | None]) -> tuple[Registration, ...]:
    cursor = await line.execute(f"{_SELECT} WHERE ticket = ANY(%s)", (list(tickets),))
    return tuple(registration_in(row) for row in await cursor.fetchall())


async def _change(line: AsyncConnection, changes: Sequence[_Swap]) -> list[Registration | None]:
    """Each is carried out where nobody else has changed the row; else, the row as it is."""
    held: list[Registration | None] = []
    for change in changes:
        assert change.before is not None
        ticket = change.after.ticket
        wanted = (*row_of(change.after), ticket, *row_of(change.before))
        if (await line.execute(_CHANGE, wanted)).rowcount == 1:
            held.append(None)
            continue
        found = await _under(line, [ticket])
        if not found:
            raise StoreFailed(f"ticket {ticket} is stored no more")
        held.append(None if found[0] == change.after else found[0])
    return held


async def _overwrite(line: AsyncConnection, saves: Sequence[_Save]) -> None:
    """The last word about each ticket, in the order of the saves."""
    last: dict[int, Registration | None] = {}
    for save in saves:
        last |= {row.ticket: row for row in save.rows}
        last |= dict.fromkeys(save.gone)
    rows = [row for _ticket, row in sorted(last.items()) if row is not None]
    if rows:
        async with line.cursor() as cursor:
            await cursor.executemany(_UPSERT, [row_of(row) for row in rows])
    gone = sorted(ticket for ticket, row in last.items() if row is None)
    if gone:
        await line.execute("DELETE FROM dtms_trades WHERE ticket = ANY(%s)", (gone,))


MIGRATION_LOCK = 0x64746D73
"""The advisory lock under which schemas are changed: "dtms"."""
MIGRATIONS: tuple[tuple[LiteralString, ...], ...] = (
    (
        "CREATE TABLE dtms_trades (ticket bigint PRIMARY KEY, symbol text NOT NULL, "
        "direction text NOT NULL, entry_price double precision NOT NULL, "
        "volume double precision NOT NULL, stop_loss double precision, "
        "take_profit double precision, state text NOT NULL, registered_at text NOT NULL, "
        "last_updated text NOT NULL, registered_by text NOT NULL)",
        "CREATE TABLE dtms_room (taken boolean)",
    ),
)
SCHEMA_VERSION = len(MIGRATIONS)
_COLUMNS: dict[LiteralString, LiteralString] = {
    "ticket": "bigint",
    "symbol": "text",
    "direction": "text",
    "entry_price": "double precision",
    "volume": "double precision",
    "stop_loss": "double precision",
    "take_profit": "double precision",
    "state": "text",
    "registered_at": "text",
    "last_updated": "text",
}
_NAMES = ", ".join(_COLUMNS)
_SELECT = f"SELECT {_NAMES} FROM dtms_trades"
_SELECT_CLAIMED = f"SELECT {_NAMES}, registered_by FROM dtms_trades WHERE ticket = ANY(%s)"
_CLAIM = (
    f"INSERT INTO dtms_trades (registered_by, {_NAMES}) SELECT %s, * FROM "
    f"unnest({', '.join(f'%s::{kind}[]' for kind in _COLUMNS.values())}) "
    "ON CONFLICT (ticket) DO NOTHING RETURNING ticket"
)
_CHANGE = (
    f"UPDATE dtms_trades SET ({_NAMES}) = "
    f"ROW({', '.join(f'%s::{kind}' for kind in _COLUMNS.values())}) WHERE ticket = %s AND "
    f"ROW({_NAMES}) IS NOT DISTINCT FROM "
    f"ROW({', '.join(f'%s::{kind}' for kind in _COLUMNS.values())})"
)
_UPSERT = (
    f"INSERT INTO dtms_trades (registered_by, {_NAMES}) "
    f"VALUES ('', {', '.join('%s' for _name in _COLUMNS)}) ON CONFLICT (ticket) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
)
_TRY_TO_WRITE: tuple[LiteralString, ...] = (
    "LOCK TABLE dtms_trades IN ROW EXCLUSIVE MODE",
    "INSERT INTO dtms_room VALUES (true)",
    "DELETE FROM dtms_room",
)
"""A write that leaves nothing, and waits for whoever keeps others from writing trades."""
_SET = "SELECT set_config(%s, %s, false)"
_SYNCHRONOUS = (
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') = 'off'"
)
"""Whoever turned it off for this user or database did not mean trades."""
