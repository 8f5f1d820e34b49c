"""A PostgreSQL server of the lab's own, and what can go wrong with it, on a real one."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest

from chaos.capabilities import Database
from chaos.choice import seeded
from chaos.faults import DatabaseTrouble
from chaos.nemesis import Nemesis
from chaos.postgres import programs, server
from chaos.postgres.database import PostgresDatabase
from chaos.postgres.server import GivenPostgres, PostgresRefused, PostgresServer
from chaos.schedule import during


def count(url: str, table: str = "kept") -> int:
    with closing(psycopg.connect(url, connect_timeout=2)) as line:
        return line.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def processes_of(postgres: PostgresServer) -> tuple[int, ...]:
    pid = postgres._popen.pid
    return (pid, *server._children(pid))


@pytest.fixture
def kept(own_postgres):
    """The server, with one row that is committed and one that is not, in a busy transaction."""
    with closing(psycopg.connect(own_postgres.url)) as line:
        line.execute("CREATE TABLE kept (n int)")
        line.execute("INSERT INTO kept VALUES (1)")
        line.commit()
        line.execute("INSERT INTO kept VALUES (2)")
        yield own_postgres


@pytest.mark.parametrize("times", [3])
def test_killed_with_all_its_processes_it_comes_back_with_what_was_committed(kept, times) -> None:
    for _time in range(times):
        before = processes_of(kept)
        assert len(before) > 3
        kept.kill()
        kept.kill()
        assert not kept.running
        assert not any(map(is_alive, before))
        with pytest.raises(psycopg.OperationalError):
            count(kept.url)
        kept.start()
        kept.start()
        assert count(kept.url) == 1


def test_a_backend_that_is_busy_dies_with_it(own_postgres) -> None:
    line = psycopg.connect(own_postgres.url)
    busy = threading.Thread(target=count_for_ever, args=(line,))
    busy.start()
    with closing(psycopg.connect(own_postgres.url, autocommit=True)) as other:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s"
        deadline = time.monotonic() + 20
        while other.execute(asked, ("%for ever%",)).fetchone() == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.005)
    own_postgres.kill()
    busy.join(10)
    line.close()
    own_postgres.start()
    assert own_postgres.running


def count_for_ever(line: psycopg.Connection) -> None:
    """Looks neither at its client nor at its server."""
    with suppress(psycopg.OperationalError):
        line.execute(
            "/* for ever */ SELECT count(*) FROM (SELECT generate_series(1, 10000000000000)) AS n"
        )


def test_stopped_it_comes_back_on_the_same_port(kept) -> None:
    port = kept.port
    kept.stop()
    kept.stop()
    assert not kept.running
    kept.start()
    assert (kept.port, count(kept.url)) == (port, 1)


def test_another_takes_over_its_folder(own_postgres) -> None:
    with closing(psycopg.connect(own_postgres.url, autocommit=True)) as line:
        line.execute("CREATE TABLE kept (n int)")
    own_postgres.stop()
    with PostgresServer(own_postgres.folder) as heir:
        assert count(heir.url) == 0


def test_closed_it_leaves_nothing_behind(own_postgres) -> None:
    folder, before = own_postgres.folder, processes_of(own_postgres)
    own_postgres.close()
    own_postgres.close()
    assert not folder.exists()
    assert not any(map(is_alive, before))


def test_nobody_comes_in_without_the_password(own_postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://dtms@127.0.0.1:{own_postgres.port}/postgres")


@pytest.mark.skipif(sys.platform != "linux", reason="needs the parent-death signal of Linux")
def test_it_dies_with_the_lab(own_postgres) -> None:
    program = (
        "import sys, time; from chaos.postgres.server import PostgresServer\n"
        "from pathlib import Path\n"
        "server = PostgresServer(Path(sys.argv[1])); server.start()\n"
        "print(server._popen.pid, flush=True); time.sleep(60)"
    )
    own_postgres.stop()
    lab = subprocess.Popen(
        [sys.executable, "-c", program, str(own_postgres.folder)], stdout=subprocess.PIPE
    )
    with lab:
        pid = int(lab.stdout.readline())
        children = server._children(pid)
        lab.kill()
    deadline = time.monotonic() + 20
    while any(map(is_alive, (pid, *children))):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_where_none_is_installed_it_is_said_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setattr(programs.shutil, "which", lambda _name: None)
    monkeypatch.setattr(programs, "USUAL_PLACES", ())
    with pytest.raises(PostgresRefused, match="apt-get install postgresql"):
        PostgresServer()


def test_the_latest_of_several_is_taken(monkeypatch, tmp_path) -> None:
    for version in ("9", "15", "17"):
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        for name in ("postgres", "initdb") if version != "17" else ("postgres",):
            (folder / name).touch()
    monkeypatch.setattr(programs.shutil, "which", lambda _name: None)
    monkeypatch.setattr(programs, "USUAL_PLACES", (f"{tmp_path}/*/bin",))
    assert programs.find_programs() == tmp_path / "15" / "bin"


def test_what_does_not_come_up_says_its_last_words(own_postgres) -> None:
    own_postgres.stop()
    (own_postgres._data / "postgresql.conf").write_text("colour = blue\n")
    with pytest.raises(PostgresRefused, match='"colour"'):
        own_postgres.start()


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_server_that_was_given_is_never_ended(postgres, how) -> None:
    given = GivenPostgres(postgres.url)
    assert postgres.url not in repr(given)
    given.wait_until_ready()
    with pytest.raises(PostgresRefused, match="only its own"):
        await DatabaseTrouble(how).inflict(PostgresDatabase(given))
    assert postgres.running


async def test_killed_it_is_started_again_when_that_is_undone(kept) -> None:
    undo = await DatabaseTrouble("killed").inflict(PostgresDatabase(kept))
    assert not kept.running
    await undo()
    await undo()
    assert count(kept.url) == 1


async def test_frozen_it_answers_nobody_until_it_goes_on(kept) -> None:
    with closing(psycopg.connect(kept.url, autocommit=True)) as line:
        undo = await DatabaseTrouble("frozen").inflict(PostgresDatabase(kept))
        with pytest.raises(psycopg.OperationalError):
            count(kept.url)
        await undo()
        assert line.execute("SELECT 1").fetchone() == (1,)


async def test_locked_nobody_reads_or_writes_the_table(postgres, make_database) -> None:
    url = make_database()
    schema = url.rpartition("%3D")[2]
    with closing(psycopg.connect(url, autocommit=True)) as line:
        line.execute("CREATE TABLE kept (n int)")
        line.execute("SET lock_timeout = '50ms'")
        database = PostgresDatabase(postgres, lock=(f"{schema}.kept",))
        undo = await DatabaseTrouble("locked").inflict(database)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            line.execute("INSERT INTO kept VALUES (1)")
        await undo()
        line.execute("INSERT INTO kept VALUES (1)")


async def test_exhausted_there_is_no_connection_left_to_anybody(kept) -> None:
    with closing(psycopg.connect(kept.url)) as line:
        undo = await DatabaseTrouble("exhausted").inflict(PostgresDatabase(kept))
        with pytest.raises(psycopg.OperationalError):
            line.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="too many clients"):
        count(kept.url)
    await undo()
    assert count(kept.url) == 1


async def test_cut_off_everybody_has_to_connect_again(kept) -> None:
    with closing(psycopg.connect(kept.url)) as line:
        await DatabaseTrouble("cut-off").inflict(PostgresDatabase(kept))
        with pytest.raises(psycopg.OperationalError):
            line.execute("SELECT 1")
    assert count(kept.url) == 1


async def test_the_nemesis_inflicts_and_heals_it(kept) -> None:
    told = []
    nemesis = Nemesis(
        (during(0.0, 0.05, DatabaseTrouble("killed")),),
        {Database: PostgresDatabase(kept)},
        world="local",
        draw=seeded(1),
        record=lambda *given: told.append(given),
    )
    await nemesis.run()
    assert len(told) == 2
    assert count(kept.url) == 1
