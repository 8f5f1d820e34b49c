import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from core.errors import OutboxFailed
from core.sqlite_outbox import SCHEMA_VERSION, SqliteOutbox

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "outbox.db"


@pytest.fixture
def outbox(path):
    opened = SqliteOutbox.open(path, now=NOW)
    yield opened
    opened.close()


def reopened(path) -> SqliteOutbox:
    return SqliteOutbox.open(path, now=NOW)


def test_a_second_process_is_refused_in_words(outbox, path) -> None:
    program = (
        "import sys; from datetime import datetime, UTC; from pathlib import Path\n"
        "from core.sqlite_outbox import SqliteOutbox\n"
        "SqliteOutbox.open(Path(sys.argv[1]), now=datetime.now(UTC))"
    )
    ended = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    assert "is in use by another process" in ended.stderr


def test_a_corrupt_file_is_set_aside_and_reported(path, trade) -> None:
    first = reopened(path)
    first.put(trade, "c1").result(5)
    first.close()
    path.write_bytes(b"\xde\xad" * 5000)
    path.with_name(path.name + "-wal").write_bytes(b"x")
    second = reopened(path)
    assert second.report.set_aside is not None
    assert second.report.set_aside.read_bytes() == b"\xde\xad" * 5000
    assert second.pending() == ()
    second.put(trade, "c2").result(5)
    second.close()


def test_damage_inside_a_page_is_found_too(path, trade) -> None:
    first = reopened(path)
    for ticket in range(1, 400):
        first.put(replace(trade, ticket=ticket), "c").result(5)
    first.close()
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(bytes(content))
    second = reopened(path)
    assert second.report.set_aside is not None
    second.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxFailed, match="cannot be used"):
        reopened(tmp_path / "file" / "outbox.db")
    (tmp_path / "outbox.db").mkdir()
    with pytest.raises(OutboxFailed, match="cannot be used"):
        reopened(tmp_path / "outbox.db")


def test_a_full_disk_refuses_the_intent_and_forgets_it(outbox, trade) -> None:
    outbox._database.execute("PRAGMA max_page_count = 1").fetchall()
    put = (outbox.put(replace(trade, ticket=ticket), "c").result(5) for ticket in range(1, 500))
    with pytest.raises(OutboxFailed, match="not durable"):
        list(put)
    refused = len(outbox.outcomes()) + 1
    assert refused not in outbox.outcomes()
    outbox._database.execute("PRAGMA max_page_count = 1000000").fetchall()
    outbox.put(replace(trade, ticket=refused), "c").result(5)
    assert refused in outbox.outcomes()


class FailsToRead(sqlite3.Connection):
    """On its disk, the rows cannot be read."""

    def execute(self, sql, *parameters):
        if sql.startswith("SELECT ticket"):
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *parameters)


def test_a_disk_that_fails_while_intents_are_read_is_told_and_let_go(path) -> None:
    with pytest.raises(OutboxFailed, match="disk I/O error"):
        SqliteOutbox.open(path, now=NOW, connect=partial(sqlite3.connect, factory=FailsToRead))
    reopened(path).close()


class FailsToCheck(sqlite3.Connection):
    """What SQLite says where the disk did not read a page while it was checked."""

    def execute(self, sql, *parameters):
        if sql.startswith("PRAGMA quick_check"):
            sql = (
                "SELECT '*** in database main ***\nPage 4: unable to get the page. error code=266'"
            )
        return super().execute(sql, *parameters)


def test_a_page_that_could_not_be_read_just_now_is_no_damage(path, trade) -> None:
    first = reopened(path)
    first.put(trade, "c1").result(5)
    first.close()
    with pytest.raises(OutboxFailed, match="error code=266"):
        SqliteOutbox.open(path, now=NOW, connect=partial(sqlite3.connect, factory=FailsToCheck))
    second = reopened(path)
    assert len(second.pending()) == 1
    second.close()


def test_a_later_schema_is_refused_and_left_as_it_is(path, trade) -> None:
    reopened(path).close()
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()
    before = path.read_bytes()
    with pytest.raises(OutboxFailed, match="later version"):
        reopened(path)
    assert path.read_bytes() == before
