"""What every outbox promises: the one in a file, and the one that processes share."""

from __future__ import annotations

import itertools
import queue
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import psycopg
import pytest

from core import postgres_outbox, sqlite_outbox
from core.errors import OutboxFailed
from core.outbox import Contradicted, Intent, Outbox, Stored
from core.outcome import Closed, Conflict, Pending, Registered, Rejected
from core.postgres_outbox import PostgresLimits, PostgresOutbox
from core.sqlite_outbox import SqliteOutbox

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLACE = "bot-127.0.0.1-8001"


@dataclass
class Kind:
    """One of the outboxes, always in the same place. `stuck`: nothing can be written. `program`
    opens it as `outbox` in another process, which is given `arguments`."""

    open: Callable[[], Outbox]
    stuck: Callable[[Outbox], AbstractContextManager[object]]
    age: Callable[[], object]
    program: str
    arguments: tuple[str, ...]


def sqlite_kind(path) -> Kind:
    @contextmanager
    def stuck(outbox) -> Iterator[None]:
        outbox._database.execute("PRAGMA query_only = 1").fetchall()
        yield
        outbox._database.execute("PRAGMA query_only = 0").fetchall()

    def age() -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute(f"PRAGMA user_version = {sqlite_outbox.SCHEMA_VERSION + 1}")

    program = (
        "from datetime import datetime, UTC; from pathlib import Path\n"
        "from core.sqlite_outbox import SqliteOutbox\n"
        "outbox = SqliteOutbox.open(Path(sys.argv[1]), now=datetime.now(UTC))\n"
    )
    return Kind(lambda: SqliteOutbox.open(path, now=NOW), stuck, age, program, (str(path),))


def postgres_kind(url: str) -> Kind:
    owners = itertools.count(1)
    limits = PostgresLimits(lock_s=0.2)

    def opened() -> Outbox:
        return PostgresOutbox.open(
            url, PLACE, owner=f"owner {next(owners)}", monotonic=time.monotonic, limits=limits
        )

    @contextmanager
    def stuck(_outbox) -> Iterator[None]:
        with closing(psycopg.connect(url)) as line:
            line.execute(postgres_outbox._LOCK, (PLACE,))
            yield

    def age() -> None:
        with closing(psycopg.connect(url, autocommit=True)) as line:
            line.execute(
                "UPDATE dtms_outbox_schema SET version = %s", (postgres_outbox.SCHEMA_VERSION + 1,)
            )

    program = (
        "import time; from core.postgres_outbox import PostgresOutbox\n"
        "outbox = PostgresOutbox.open(\n"
        "    sys.argv[1], sys.argv[2], owner='other', monotonic=time.monotonic)\n"
    )
    return Kind(opened, stuck, age, program, (url, PLACE))


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request, tmp_path) -> Kind:
    if request.param == "sqlite":
        return sqlite_kind(tmp_path / "deep" / "outbox.db")
    return postgres_kind(request.getfixturevalue("make_database")())


@pytest.fixture
def outbox(kind) -> Iterator[Outbox]:
    opened = kind.open()
    yield opened
    opened.close()


def test_an_intent_outlives_the_process_that_made_it(kind, trade) -> None:
    first = kind.open()
    first.put(trade, "c1").result(5)
    first.close()
    second = kind.open()
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


def test_outcomes_are_durable(kind, trade) -> None:
    first = kind.open()
    for n, conclude in enumerate((Registered, Closed)):
        first.put(replace(trade, ticket=n + 1), "c").result(5)
        first.conclude(conclude(n + 1)).result(5)
    first.put(replace(trade, ticket=3), "c").result(5)
    first.conclude(Conflict(3, "other")).result(5)
    first.put(replace(trade, ticket=4), "c").result(5)
    first.conclude(Pending(4, "later")).result(5)
    first.conclude(Registered(99)).result(5)
    first.close()
    second = kind.open()
    assert second.outcomes() == {1: "REGISTERED", 2: "CLOSED", 3: "CONFLICT", 4: "PENDING"}
    second.close()


def test_who_falls_back_does_so_for_good(kind, trade) -> None:
    strategic = replace(trade, strategy_type="trap")
    first = kind.open()
    first.put(strategic, "id").result(5)
    assert first.fall_back(trade.ticket).result(5) == Intent(trade, "id")
    first.close()
    second = kind.open()
    assert second.pending() == (Intent(trade, "id"),)
    second.close()


def test_what_is_durable_already_needs_no_disk(kind, outbox, trade) -> None:
    outbox.put(trade, "id").result(5)
    with kind.stuck(outbox):
        assert outbox.put(trade, "again").result(5) == Stored(Intent(trade, "id"))
        with pytest.raises(OutboxFailed):
            outbox.put(replace(trade, ticket=7), "id").result(5)


def test_a_registered_trade_stays_so_where_it_cannot_be_opened_anew(kind, outbox, trade) -> None:
    outbox.put(trade, "c").result(5)
    outbox.conclude(Registered(trade.ticket)).result(5)
    with kind.stuck(outbox):
        assert outbox.put(trade, "again").result(5).intent.state == "REGISTERED"
    assert outbox.put(trade, "again").result(5).intent.state == "PENDING"


def test_a_failed_change_leaves_what_was_there(kind, outbox, trade) -> None:
    outbox.put(trade, "c").result(5)
    with kind.stuck(outbox):
        with pytest.raises(OutboxFailed):
            outbox.conclude(Registered(trade.ticket)).result(5)
        assert outbox.outcomes() == {trade.ticket: "PENDING"}


def test_a_closed_outbox_refuses(kind, trade) -> None:
    outbox = kind.open()
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


def test_a_later_schema_is_refused_in_words(kind, trade) -> None:
    kind.open().close()
    kind.age()
    with pytest.raises(OutboxFailed, match="later version"):
        kind.open()


def test_nothing_acknowledged_is_lost_by_kill_9(kind) -> None:
    program = (
        "import os, sys\n" + kind.program + "from core.trade import Trade, Direction\n"
        "for n in range(1, 100000):\n"
        "    outbox.put(Trade(n, 'X', Direction.BUY, 1.0, 1.0), 'c').result(5)\n"
        "    os.write(1, b'%d\\n' % n)\n"
    )
    command = [sys.executable, "-c", program, *kind.arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        last = 0
        while last < 200:
            last = int(writer.stdout.readline())
        writer.kill()
        told = writer.stdout.read().split()
    acknowledged = int(told[-1]) if told else last
    outbox = kind.open()
    kept = outbox.outcomes()
    outbox.close()
    assert set(range(1, acknowledged + 1)) <= set(kept)
