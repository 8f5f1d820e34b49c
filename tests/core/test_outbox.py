import queue
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from core.errors import OutboxFailed
from core.outbox import Contradicted, Intent, Stored
from core.outcome import Closed, Conflict, Pending, Registered, Rejected
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


def test_an_intent_outlives_the_process_that_made_it(path, trade) -> None:
    first = reopened(path)
    first.put(trade, "c1").result(5)
    first.close()
    second = reopened(path)
    (intent,) = second.pending()
    second.close()
    assert (intent.trade, intent.correlation_id, intent.state) == (trade, "c1", "PENDING")


def test_the_same_trade_is_the_same_intent(outbox, trade) -> None:
    outbox.put(trade, "c1").result(5)
    again = outbox.put(trade, "c2").result(5)
    assert isinstance(again, Stored)
    assert again.intent.correlation_id == "c1"
    assert len(outbox.pending()) == 1


def test_other_data_under_the_ticket_are_contradicted(outbox, trade) -> None:
    outbox.put(trade, "c1").result(5)
    other = outbox.put(replace(trade, volume=9.0), "c2").result(5)
    assert isinstance(other, Contradicted)
    assert outbox.pending()[0].trade == trade


def test_a_rejected_trade_may_be_put_right(outbox, trade) -> None:
    outbox.put(trade, "c1").result(5)
    outbox.conclude(Rejected(trade.ticket, "no")).result(5)
    right = replace(trade, volume=0.1)
    assert isinstance(outbox.put(right, "c2").result(5), Stored)
    assert outbox.pending()[0].trade == right


def test_a_concluded_intent_put_again_is_open_again(outbox, trade) -> None:
    outbox.put(trade, "c1").result(5)
    outbox.conclude(Registered(trade.ticket)).result(5)
    assert outbox.pending() == ()
    outbox.put(trade, "c2").result(5)
    assert len(outbox.pending()) == 1


def test_a_closed_one_stays_closed(outbox, trade) -> None:
    outbox.put(trade, "c1").result(5)
    outbox.conclude(Closed(trade.ticket)).result(5)
    assert outbox.put(trade, "c2").result(5).intent.state == "CLOSED"
    assert outbox.pending() == ()


def test_outcomes_are_durable(path, trade) -> None:
    first = reopened(path)
    for n, conclude in enumerate((Registered, Closed)):
        first.put(replace(trade, ticket=n + 1), "c").result(5)
        first.conclude(conclude(n + 1)).result(5)
    first.put(replace(trade, ticket=3), "c").result(5)
    first.conclude(Conflict(3, "other")).result(5)
    first.put(replace(trade, ticket=4), "c").result(5)
    first.conclude(Pending(4, "later")).result(5)
    first.conclude(Registered(99)).result(5)
    first.close()
    second = reopened(path)
    assert second.outcomes() == {1: "REGISTERED", 2: "CLOSED", 3: "CONFLICT", 4: "PENDING"}
    second.close()


def test_who_falls_back_does_so_for_good(path, trade) -> None:
    strategic = replace(trade, strategy_type="trap")
    first = reopened(path)
    first.put(strategic, "id").result(5)
    assert first.fall_back(trade.ticket).result(5) == Intent(trade, "id")
    first.close()
    second = reopened(path)
    assert second.pending() == (Intent(trade, "id"),)
    second.close()


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


def test_a_later_schema_is_refused_and_left_as_it_is(path, trade) -> None:
    reopened(path).close()
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()
    before = path.read_bytes()
    with pytest.raises(OutboxFailed, match="later version"):
        reopened(path)
    assert path.read_bytes() == before


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


def test_what_is_durable_already_needs_no_disk(outbox, trade) -> None:
    outbox.put(trade, "id").result(5)
    outbox._database.execute("PRAGMA query_only = 1").fetchall()
    assert outbox.put(trade, "again").result(5) == Stored(Intent(trade, "id"))
    with pytest.raises(OutboxFailed):
        outbox.put(replace(trade, ticket=7), "id").result(5)


def test_a_registered_trade_stays_so_where_it_cannot_be_opened_anew(outbox, trade) -> None:
    outbox.put(trade, "c").result(5)
    outbox.conclude(Registered(trade.ticket)).result(5)
    outbox._database.execute("PRAGMA query_only = 1").fetchall()
    assert outbox.put(trade, "again").result(5).intent.state == "REGISTERED"
    outbox._database.execute("PRAGMA query_only = 0").fetchall()
    assert outbox.put(trade, "again").result(5).intent.state == "PENDING"


def test_a_failed_change_leaves_what_was_there(outbox, trade) -> None:
    outbox.put(trade, "c").result(5)
    outbox._database.execute("PRAGMA query_only = 1").fetchall()
    with pytest.raises(OutboxFailed):
        outbox.conclude(Registered(trade.ticket)).result(5)
    assert outbox.outcomes() == {trade.ticket: "PENDING"}
    outbox._database.execute("PRAGMA query_only = 0").fetchall()


def test_a_closed_outbox_refuses(path, trade) -> None:
    outbox = reopened(path)
    outbox.close()
    outbox.close()
    with pytest.raises(OutboxFailed, match="closed"):
        outbox.put(trade, "c").result(5)


def test_a_queue_that_is_full_refuses_what_it_does_not_know(outbox, trade, monkeypatch) -> None:
    class Full:
        def put_nowait(self, _item: object) -> None:
            raise queue.Full

    known = replace(trade, ticket=7)
    outbox.put(known, "c").result(5)
    kept = outbox._writer._queue
    monkeypatch.setattr(outbox._writer, "_queue", Full())
    with pytest.raises(OutboxFailed, match="full"):
        outbox.put(trade, "c").result(5)
    assert outbox.put(known, "again").result(5) == Stored(Intent(known, "c"))
    monkeypatch.setattr(outbox._writer, "_queue", kept)


def test_many_at_once_share_commits(outbox, trade) -> None:
    waiting = [outbox.put(replace(trade, ticket=n), "c") for n in range(1, 2000)]
    assert all(isinstance(future.result(10), Stored) for future in waiting)
    assert len(outbox.pending()) == 1999


def test_nothing_acknowledged_is_lost_by_kill_9(path) -> None:
    program = (
        "import os, sys; from datetime import datetime, UTC; from pathlib import Path\n"
        "from core.sqlite_outbox import SqliteOutbox; from core.trade import Trade, Direction\n"
        "outbox = SqliteOutbox.open(Path(sys.argv[1]), now=datetime.now(UTC))\n"
        "for n in range(1, 100000):\n"
        "    outbox.put(Trade(n, 'X', Direction.BUY, 1.0, 1.0), 'c').result(5)\n"
        "    os.write(1, b'%d\\n' % n)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        last = 0
        while last < 200:
            last = int(writer.stdout.readline())
        writer.kill()
        told = writer.stdout.read().split()
    acknowledged = int(told[-1]) if told else last
    outbox = reopened(path)
    kept = outbox.outcomes()
    outbox.close()
    assert set(range(1, acknowledged + 1)) <= set(kept)


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
