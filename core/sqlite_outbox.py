"""The outbox in SQLite: write-ahead log, synchronous=FULL, one writer thread, group commit.

FULL, not NORMAL: with NORMAL a power cut loses acknowledged rows.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.errors import OutboxFailed
from core.group_commit import GroupCommit, Work
from core.outbox import (
    Change,
    Contradicted,
    Intent,
    IntentState,
    Stored,
    answer_unwritten,
    concluded,
    fallen_back,
    put_into,
)
from core.outcome import Outcome
from core.trade import Trade
from core.written_intent import read, written

SCHEMA_VERSION = 1
CONCLUDED_KEPT_MAX = 100_000
"""How many concluded intents are remembered; older ones are forgotten at the next start."""
BUSY_MS = 200
"""How long opening waits for another process to let the file go."""

Connect = Callable[..., sqlite3.Connection]
"""Called as `sqlite3.connect` is."""


@dataclass(frozen=True, slots=True)
class OpenReport:
    """What opening found: `set_aside` is where a corrupt file was moved, if one was."""

    pending: int
    set_aside: Path | None


class SqliteOutbox:
    """Open with `SqliteOutbox.open`. Safe to use from any thread."""

    @classmethod
    def open(cls, path: Path, *, now: datetime, connect: Connect = sqlite3.connect) -> SqliteOutbox:
        """Opens or makes the file. Raises `OutboxFailed`, saying why, where it cannot be used."""
        set_aside = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                database, intents = _connect(path, connect)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                set_aside = _set_aside(path, now)
                database, intents = _connect(path, connect)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise OutboxFailed(f"{path} is in use by another process") from error
            raise OutboxFailed(f"{path} cannot be used: {error}") from error
        except OSError as error:
            raise OutboxFailed(f"{path} cannot be used: {error}") from error
        return cls(database, intents, set_aside)

    def __init__(
        self, database: sqlite3.Connection, intents: dict[int, Intent], set_aside: Path | None
    ) -> None:
        self._database = database
        self._intents = intents
        self.report = OpenReport(len(self.pending()), set_aside)
        self._writer = GroupCommit(self._commit, self._intents.get)

    def put(self, trade: Trade, correlation_id: str) -> Future[Stored | Contradicted]:
        def change(known: Intent | None) -> Change[Stored | Contradicted]:
            return put_into(known, trade, correlation_id)

        return self._writer.submit(trade.ticket, change)

    def conclude(self, outcome: Outcome) -> Future[None]:
        def change(known: Intent | None) -> Change[None]:
            return concluded(known, outcome)

        return self._writer.submit(outcome.ticket, change, patient=True)

    def fall_back(self, ticket: int) -> Future[Intent | None]:
        return self._writer.submit(ticket, fallen_back)

    def pending(self) -> tuple[Intent, ...]:
        return tuple(i for i in list(self._intents.values()) if i.state == "PENDING")

    def due(self) -> tuple[Intent, ...]:
        return self.pending()

    def outcomes(self) -> dict[int, IntentState]:
        return {ticket: intent.state for ticket, intent in list(self._intents.items())}

    def close(self) -> None:
        if self._writer.close():
            self._database.close()

    def _commit(self, batch: list[Work]) -> None:
        """One transaction for the batch. Memory follows the disk: what is not durable is not
        shown to anybody."""
        staged: dict[int, Intent] = {}
        results: list[object] = []
        try:
            self._database.execute("BEGIN IMMEDIATE")
            for item in batch:
                known = staged.get(item.ticket) or self._intents.get(item.ticket)
                intent, result, _unwritten = item.change(known)
                results.append(result)
                if intent is not None:
                    staged[item.ticket] = intent
                    self._database.execute(_UPSERT, written(intent))
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            failure = OutboxFailed(f"not durable: {error}")
            for item in batch:
                answer_unwritten(item.change(self._intents.get(item.ticket)), item.future, failure)
            return
        self._intents.update(staged)
        for item, result in zip(batch, results, strict=True):
            item.future.set_result(result)


_UPSERT = """
INSERT INTO intents (ticket, trade, correlation_id, state, reason) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (ticket) DO UPDATE SET trade = excluded.trade,
  correlation_id = excluded.correlation_id, state = excluded.state, reason = excluded.reason
"""


def _connect(path: Path, connect: Connect) -> tuple[sqlite3.Connection, dict[int, Intent]]:
    database = connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        # Exclusive: two processes that drive the same intents would each undo the other's care.
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("BEGIN EXCLUSIVE")
        _check(database)
        _migrate(database, path)
        database.execute("COMMIT")
        intents = _load(database)
    except BaseException:
        database.close()
        raise
    return database, intents


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


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise OutboxFailed(
            f"{path} was written by a later version (schema {version}, "
            f"this one knows {SCHEMA_VERSION}); use that version, or another file"
        )
    database.execute(
        "CREATE TABLE IF NOT EXISTS intents (position INTEGER PRIMARY KEY AUTOINCREMENT, "
        "ticket INTEGER UNIQUE NOT NULL, trade TEXT NOT NULL, correlation_id TEXT NOT NULL, "
        "state TEXT NOT NULL, reason TEXT NOT NULL)"
    )
    database.execute(
        "DELETE FROM intents WHERE state <> 'PENDING' AND position <= "
        "(SELECT coalesce(max(position), 0) FROM intents) - ?",
        (CONCLUDED_KEPT_MAX,),
    )
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _load(database: sqlite3.Connection) -> dict[int, Intent]:
    rows = database.execute(
        "SELECT ticket, trade, correlation_id, state, reason FROM intents ORDER BY position"
    )
    return {row[0]: read(row) for row in rows}


def _set_aside(path: Path, now: datetime) -> Path:
    """Moves a corrupt file, and what belongs to it, out of the way; nothing is deleted."""
    aside = path.with_name(f"{path.name}.corrupt-{now:%Y%m%dT%H%M%S.%fZ}")
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + suffix))
    return aside
