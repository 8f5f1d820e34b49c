"""Every store keeps the same promises: the one on a simulated disk also fails as SQLite's does, and
the one on PostgreSQL says in its own words why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import pytest

from simulator.deterministic.store import DiskStore
from simulator.ledger import registration_of
from simulator.persistence import Store, StoreFailed
from simulator.postgres_store import PostgresLimits, PostgresStore
from simulator.request import EnableRequest
from simulator.states import State
from simulator.store import SqliteStore


def now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


def row(ticket: int):
    return registration_of(EnableRequest(ticket, "X", "BUY", 2.0, 1.0), "2026-01-01T00:00:00")


SQLITE_SAYS = {
    "fails": "disk I/O error",
    "locked": "database is locked",
    "read_only": "attempt to write a readonly database",
    "full": "database or disk is full",
}
POSTGRES_SAYS = {
    "fails": "disk I/O error",
    "locked": "canceling statement due to lock timeout",
    "read_only": "cannot execute INSERT in a read-only transaction",
    "full": "could not extend file: No space left on device",
}


@dataclass
class Kind:
    """One of the stores, always on the same file or database."""

    make: Callable[[], Store]
    corrupt: Callable[[], object]
    deaths: list[bool] = field(default_factory=list)
    says: dict[str, str] = field(default_factory=lambda: SQLITE_SAYS)


@pytest.fixture(params=["sqlite", "disk", "postgres"])
def kind(request, tmp_path, fate) -> Kind:
    deaths: list[bool] = []

    def die() -> None:
        deaths.append(True)

    if request.param == "sqlite":
        path = tmp_path / "data" / "dtms.db"
        return Kind(
            lambda: SqliteStore(path.parent, now, die=die),
            lambda: path.write_bytes(b"\xde\xad" * 4096),
            deaths,
        )
    if request.param == "postgres":
        url = request.getfixturevalue("make_database")()
        limits = PostgresLimits(connections=2, lock_s=0.2)
        return Kind(
            lambda: PostgresStore(url, "test", limits=limits, die=die),
            lambda: pytest.fail("the files are the server's"),
            deaths,
            POSTGRES_SAYS,
        )
    disk = fate.disk()
    return Kind(lambda: DiskStore(disk, now, die=die), lambda: disk.corrupt("dtms.db"), deaths)


@pytest.fixture
async def store(kind) -> AsyncIterator[Store]:
    opened = kind.make()
    assert await opened.open() == ()
    yield opened
    if not kind.deaths or opened.shared is not None:
        await opened.close()


async def stored(kind) -> tuple[int, ...]:
    """What another process would find."""
    other = kind.make()
    rows = await other.open()
    await other.close()
    return tuple(row.ticket for row in rows)


async def test_rows_come_back_as_they_were_and_by_ticket(kind, store) -> None:
    await store.save((row(2), row(1)))
    await store.close()
    assert await kind.make().open() == (row(1), row(2))


async def test_the_last_row_of_a_ticket_counts(kind, store) -> None:
    closed = msgspec.structs.replace(row(1), state=State.CLOSED)
    await store.save((row(1), row(2)))
    await store.save((closed,), gone=(2,))
    await store.close()
    assert await kind.make().open() == (closed,)


async def test_what_was_removed_and_saved_again_is_there(kind, store) -> None:
    await asyncio.gather(store.save((row(1),)), store.save((), gone=(1,)), store.save((row(1),)))
    assert await stored(kind) == (1,)


async def test_what_one_save_removes_is_gone(kind, store) -> None:
    await asyncio.gather(store.save((row(1), row(2))), store.save((), gone=(1, 7)))
    assert await stored(kind) == (2,)


def fails(store: Store, on: bool) -> None:
    store.faults.fails = on


def locked(store: Store, on: bool) -> None:
    store.lock(on)
    store.lock(on)


def read_only(store: Store, on: bool) -> None:
    store.set_read_only(on)


def full(store: Store, on: bool) -> None:
    store.set_full(on)


@pytest.mark.parametrize("fault", [fails, locked, read_only, full])
async def test_a_commit_that_fails_says_why_stores_nothing_and_heals(kind, store, fault) -> None:
    words = kind.says[fault.__name__]
    await store.save((row(1),))
    assert store.writable
    fault(store, True)
    # Enough that none of it has room in what SQLite's file has left.
    more = [tuple(row(n) for n in range(k, k + 400)) for k in (100, 500)]
    results = await asyncio.gather(*map(store.save, more), return_exceptions=True)
    assert [str(result) for result in results] == [words] * 2
    assert all(isinstance(result, StoreFailed) for result in results)
    assert not store.writable
    assert not await store.probe()
    fault(store, False)
    assert await store.probe()
    assert store.writable
    await store.save((row(2),))
    assert await stored(kind) == (1, 2)


async def test_a_slow_store_is_slow(store) -> None:
    loop = asyncio.get_running_loop()
    store.faults.slow_s = 0.05
    began = loop.time()
    await store.save((row(1),))
    assert loop.time() - began >= 0.049


@pytest.mark.parametrize("point", ["crash_before", "crash_after"])
async def test_a_planned_crash_counts_commits_that_write(kind, store, point, until) -> None:
    setattr(store.faults, point, 2)
    assert await store.probe()
    await store.save((row(1),))
    assert getattr(store.faults, point) == 1
    assert kind.deaths == []
    store.save((row(2),))
    await until(lambda: kind.deaths == [True])


async def test_a_closed_store_refuses(store) -> None:
    await store.close()
    await store.close()
    with pytest.raises(StoreFailed, match="closed"):
        await store.save((row(1),))
    assert not await store.probe()


async def test_what_comes_while_it_closes_is_refused(kind, store) -> None:
    store.faults.slow_s = 0.02
    before = store.save((row(1),))
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreFailed, match="closed"):
        await store.save((row(2),))
    await before
    await closing
    assert await stored(kind) == (1,)


async def test_what_was_done_to_an_open_store_ends_with_it(store) -> None:
    for fault in (locked, read_only, full):
        fault(store, True)
        await store.close()
        await store.open()
        await store.save(tuple(row(n) for n in range(1, 400)))


async def test_closing_commits_what_waits(kind, store) -> None:
    saved = [store.save((row(n),)) for n in range(1, 1200)]
    await store.close()
    assert all(save.done() and save.exception() is None for save in saved)
    assert len(await stored(kind)) == 1199


async def test_a_closed_store_can_be_opened_again(store) -> None:
    await store.save((row(1),))
    await store.close()
    assert await store.open() == (row(1),)
    await store.save((row(2),))


async def test_a_save_that_was_cancelled_harms_nobody(kind, store) -> None:
    store.save((row(1),)).cancel()
    await store.save((row(2),))
    assert store.writable
    assert 2 in await stored(kind)


@pytest.mark.parametrize("kind", ["sqlite", "disk"], indirect=True)
async def test_a_corrupt_file_is_set_aside_and_told(kind, store) -> None:
    await store.save((row(1),))
    await store.close()
    assert store.set_aside is None
    kind.corrupt()
    again = kind.make()
    assert await again.open() == ()
    assert again.set_aside is not None
    assert again.set_aside.name == "dtms.db.corrupt-20260101T000000.000000Z"
    await again.save((row(2),))
    await again.close()
    assert await stored(kind) == (2,)
