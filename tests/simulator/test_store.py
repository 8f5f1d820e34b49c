"""The store: group commit, kill -9, what cannot be opened."""

import asyncio
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial

import pytest

from simulator import store as stores
from simulator.ledger import registration_of
from simulator.persistence import StoreFailed
from simulator.request import EnableRequest
from simulator.store import SCHEMA_VERSION, SqliteStore


def now() -> datetime:
    return datetime.now(UTC)


def row(ticket: int):
    return registration_of(EnableRequest(ticket, "X", "BUY", 2.0, 1.0), "2026-01-01T00:00:00")


@pytest.fixture
async def store(tmp_path):
    opened = SqliteStore(tmp_path / "data", now)
    assert await opened.open() == ()
    yield opened
    await opened.close()


async def reopened(tmp_path) -> dict[int, object]:
    again = SqliteStore(tmp_path / "data", now)
    rows = await again.open()
    await again.close()
    return {row.ticket: row for row in rows}


async def test_rows_come_back_as_they_were(store, tmp_path) -> None:
    await store.save((row(1), row(2)))
    assert await reopened(tmp_path) == {1: row(1), 2: row(2)}


async def test_removed_rows_are_gone(store, tmp_path) -> None:
    await store.save((row(1), row(2)))
    await store.save((), gone=(1,))
    assert set(await reopened(tmp_path)) == {2}


async def test_many_saves_share_few_commits(store, monkeypatch) -> None:
    commits = []
    commit = store._commit
    monkeypatch.setattr(store, "_commit", lambda batch: commits.append(len(batch)) or commit(batch))
    await asyncio.gather(*(store.save((row(n),)) for n in range(1, 1001)))
    assert sum(commits) == 1000
    assert len(commits) < 200


async def test_a_failed_commit_stores_none_of_its_batch(store, tmp_path) -> None:
    await store.save((row(1),))
    store.set_read_only(True)
    results = await asyncio.gather(*(store.save((row(n),)) for n in (2, 3)), return_exceptions=True)
    assert all(isinstance(result, StoreFailed) for result in results)
    assert not store.writable
    assert not await store.probe()
    store.set_read_only(False)
    assert await store.probe()
    assert set(await reopened(tmp_path)) == {1}


async def test_a_save_that_was_cancelled_harms_nobody(store) -> None:
    first = store.save((row(1),))
    first.cancel()
    await store.save((row(2),))


async def test_too_many_waiting_saves_are_refused(store, monkeypatch) -> None:
    class Full:
        def put_nowait(self, _item: object) -> None:
            raise stores.queue.Full

    kept = store._queue
    monkeypatch.setattr(store, "_queue", Full())
    with pytest.raises(StoreFailed, match="wait already"):
        await store.save((row(1),))
    monkeypatch.setattr(store, "_queue", kept)


async def test_a_closed_store_refuses(store) -> None:
    await store.close()
    with pytest.raises(StoreFailed, match="closed"):
        await store.save((row(1),))


async def test_locking_twice_is_locking_once(store) -> None:
    store.lock(True)
    store.lock(True)
    with pytest.raises(StoreFailed, match="locked"):
        await store.save((row(1),))
    store.lock(False)
    await store.save((row(1),))


async def test_a_later_schema_is_refused_and_left_as_it_is(store, tmp_path) -> None:
    await store.save((row(1),))
    await store.close()
    with sqlite3.connect(store.path) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()
    with pytest.raises(StoreFailed, match="later version"):
        await SqliteStore(tmp_path / "data", now).open()


async def test_a_store_that_another_process_locks_for_good_is_no_corrupt_one(
    store, tmp_path
) -> None:
    await store.close()
    database = sqlite3.connect(store.path, isolation_level=None)
    database.execute("PRAGMA locking_mode=EXCLUSIVE")
    database.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreFailed, match="locked"):
        await SqliteStore(tmp_path / "data", now).open()
    database.close()
    assert await reopened(tmp_path) == {}


async def test_damage_inside_the_file_is_found_and_set_aside(store, tmp_path) -> None:
    await store.save([row(n) for n in range(1, 500)])
    await store.close()
    content = bytearray(store.path.read_bytes())
    content[4096 : 4096 * 3] = b"\xff" * 4096 * 2
    store.path.write_bytes(bytes(content))
    again = SqliteStore(tmp_path / "data", now)
    assert await again.open() == ()
    assert again.set_aside is not None
    await again.close()


class FailsToCheck(sqlite3.Connection):
    """What SQLite says where the disk did not read a page while it was checked."""

    def execute(self, sql, *parameters):
        if sql.startswith("PRAGMA quick_check"):
            sql = (
                "SELECT '*** in database main ***\nPage 4: unable to get the page. error code=266'"
            )
        return super().execute(sql, *parameters)


class FullDisk(sqlite3.Connection):
    """Not even the version can be written."""

    def execute(self, sql, *parameters):
        if sql.startswith("PRAGMA user_version ="):
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(sql, *parameters)


@pytest.mark.parametrize("trouble", [FailsToCheck, FullDisk])
async def test_a_disk_that_is_full_or_does_not_read_is_no_corrupt_store(
    store, tmp_path, trouble
) -> None:
    await store.save((row(1),))
    await store.close()
    troubled = SqliteStore(
        tmp_path / "data", now, connect=partial(sqlite3.connect, factory=trouble)
    )
    with pytest.raises(StoreFailed, match="disk"):
        await troubled.open()
    assert await reopened(tmp_path) == {1: row(1)}


async def test_what_lies_beside_a_corrupt_file_is_kept_too(tmp_path) -> None:
    path = tmp_path / "dtms.db"
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).write_bytes(b"x" * 10)
    aside = stores._set_aside(path, now())
    assert len(list(tmp_path.glob(f"{aside.name}*"))) == 3


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path) -> None:
    program = (
        "import asyncio, os, sys; from datetime import datetime, UTC; from pathlib import Path\n"
        "from simulator.store import SqliteStore; from simulator.ledger import registration_of\n"
        "from simulator.request import EnableRequest\n"
        "async def main():\n"
        "    store = SqliteStore(Path(sys.argv[1]), lambda: datetime.now(UTC))\n"
        "    await store.open()\n"
        "    for n in range(1, 100000):\n"
        "        request = EnableRequest(n, 'X', 'BUY', 2.0, 1.0)\n"
        "        await store.save((registration_of(request, 't'),))\n"
        "        os.write(1, b'%d\\n' % n)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        last = 0
        while last < 200:
            last = int(writer.stdout.readline())
        writer.kill()
        told = writer.stdout.read().split()
    acknowledged = int(told[-1]) if told else last
    assert set(range(1, acknowledged + 1)) <= set(asyncio.run(reopened(tmp_path)))
