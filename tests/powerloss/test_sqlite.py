"""SQLite on the forgetful disk behaves, and fails, like `sqlite3`."""

import errno
import sqlite3
from pathlib import Path

import pytest

from simulator.forgetful_disk import Act, ForgetfulDisk
from simulator.forgetful_sqlite import SqliteOn

PATH = Path("/facts.db")
WAL = ("PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=WAL")


@pytest.fixture
def disk() -> ForgetfulDisk:
    return ForgetfulDisk()


def opened(disk, *, first=WAL, on: SqliteOn | None = None, **given) -> sqlite3.Connection:
    sqlite = on or SqliteOn(disk, first=first, **given)
    return sqlite(PATH, timeout=0.01, isolation_level=None, check_same_thread=False)


def test_rows_come_back_from_the_same_disk(disk) -> None:
    first = opened(disk)
    first.execute("CREATE TABLE t (a)")
    first.executemany("INSERT INTO t VALUES (?)", ((n,) for n in range(3)))
    first.close()
    second = opened(disk.after_kill())
    assert second.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert list(second.execute("SELECT a FROM t")) == [(0,), (1,), (2,)]
    assert second.execute("SELECT a FROM t WHERE a = ?", (7,)).fetchone() is None
    second.close()


def test_a_full_disk_is_told_as_sqlite3_tells_it(disk) -> None:
    database = opened(disk)
    database.execute("CREATE TABLE t (a)")
    disk.room_bytes = 0
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO t VALUES (zeroblob(9000))")
    with pytest.raises(sqlite3.OperationalError, match="database or disk is full"):
        database.execute("COMMIT")
    assert not database.in_transaction
    database.close()


@pytest.mark.parametrize("act", [Act.WRITE, Act.SYNC, Act.CREATE, Act.DELETE])
def test_a_broken_disk_is_told_as_sqlite3_tells_it(disk, act) -> None:
    database = opened(disk, first=("PRAGMA journal_mode=DELETE",))
    disk.trouble = lambda tried, _nth: errno.EIO if tried is act else 0
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        database.execute("CREATE TABLE t (a)")
    database.close()


def test_what_is_no_database_is_told_as_sqlite3_tells_it() -> None:
    with pytest.raises(sqlite3.DatabaseError, match="file is not a database") as told:
        opened(ForgetfulDisk({str(PATH): b"\xde\xad" * 5000}))
    assert not isinstance(told.value, sqlite3.OperationalError)


def test_a_second_connection_waits_in_vain_for_an_exclusive_one(disk) -> None:
    sqlite = SqliteOn(disk, first=WAL)
    first = opened(disk, on=sqlite)
    first.execute("CREATE TABLE t (a)")
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        opened(disk, on=sqlite)
    first.close()
    opened(disk, on=sqlite).close()


def test_readers_share_and_writers_do_not(disk) -> None:
    sqlite = SqliteOn(disk)
    one, other = opened(disk, on=sqlite), opened(disk, on=sqlite)
    one.execute("CREATE TABLE t (a)")
    one.execute("BEGIN IMMEDIATE")
    assert other.execute("SELECT * FROM t").fetchall() == []
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        other.execute("BEGIN IMMEDIATE")
    one.execute("ROLLBACK")
    one.close()
    other.close()


def test_a_checkpoint_that_fails_does_not_fail_its_commit(disk) -> None:
    database = opened(disk, checkpoint_pages=1)
    database.execute("CREATE TABLE t (a)")
    commit = disk.tried[Act.SYNC] + 2  # the log begins anew: its header, then the commit
    disk.trouble = lambda act, nth: errno.EIO if act is Act.SYNC and nth > commit else 0
    database.execute("INSERT INTO t VALUES (1)")
    assert disk.tried[Act.SYNC] > commit
    database.close()
    again = opened(disk.after_power_loss(lambda _about: 0.999))
    assert again.execute("SELECT a FROM t").fetchall() == [(1,)]
    again.close()


def test_statements_may_be_replaced(disk) -> None:
    database = opened(disk, instead={"SELECT 1": "SELECT 2"})
    assert database.execute("SELECT 1").fetchone() == (2,)
    database.close()


def test_there_are_no_temporary_files(disk) -> None:
    database = opened(disk, first=("PRAGMA temp_store=FILE", "PRAGMA cache_size=1", *WAL))
    with pytest.raises(sqlite3.OperationalError, match="no temporary files"):
        database.execute(
            "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n LIMIT 50000) "
            "SELECT a, zeroblob(1000) FROM n ORDER BY -a LIMIT 40000, 1"
        )
    database.close()


@pytest.mark.parametrize(
    ("mode", "journal"), [("DELETE", False), ("TRUNCATE", True), ("PERSIST", True)]
)
def test_rollback_journals_work_too(disk, mode, journal) -> None:
    database = opened(disk, first=(f"PRAGMA journal_mode={mode}", "PRAGMA synchronous=EXTRA"))
    database.execute("CREATE TABLE t (a)")
    assert (disk.find(f"{PATH}-journal") is not None) == journal
    again = opened(disk.after_power_loss(lambda _about: 0.999), first=())
    assert again.execute("SELECT * FROM t").fetchall() == []
    again.close()
    database.close()
