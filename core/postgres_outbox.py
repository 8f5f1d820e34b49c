"""The outbox on a PostgreSQL server: several processes of a service may share it.

Each intent is owned by the process that goes on with it, on a lease. A process renews its leases;
what is left by one that has died, or that lost the database for longer, is taken over by another.
Whoever writes for a service does so under one advisory lock, so that every operation sees what is
there and can simply be done again where a connection was lost: done already, it changes nothing.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import LiteralString

import psycopg
from psycopg import Connection

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

CONCLUDED_KEPT_MAX = 100_000
"""How many concluded intents of a service are remembered; older ones are forgotten at the next
start."""
ATTEMPTS_MAX = 2
"""The second only where the first has lost its connection."""
RENEWALS_A_LEASE = 3

Unrenewed = Callable[[str], None]
"""Told, once for each time it happens, why leases could not be renewed."""


@dataclass(frozen=True, slots=True)
class PostgresLimits:
    """What bounds every wait for the database, and how long an intent is one process's own.

    A connection must come about within `connect_s`; the server gives up waiting for a lock after
    `lock_s`, and a statement after `statement_s`; one that has said nothing for `answer_s` is taken
    for dead. Nobody takes over an intent before its owner has been silent for `lease_s`.
    """

    connect_s: int = 2
    lock_s: float = 1.0
    statement_s: float = 2.0
    answer_s: float = 2.0
    lease_s: float = 15.0


class PostgresOutbox:
    """Open with `PostgresOutbox.open`. Safe to use from any thread."""

    @classmethod
    def open(
        cls,
        url: str,
        place: str,
        *,
        owner: str,
        monotonic: Callable[[], float],
        limits: PostgresLimits = PostgresLimits(),
        unrenewed: Unrenewed = lambda _reason: None,
    ) -> PostgresOutbox:
        """The outbox of a service and API, called `place`; `owner` is this process's own name.

        Raises `OutboxFailed`, saying why, where the database cannot be used.
        """
        outbox = cls(url, place, owner, monotonic, limits, unrenewed)
        try:
            outbox._load()
        except (psycopg.Error, OSError, ValueError) as error:
            outbox._hang_up()
            raise OutboxFailed(f"the database cannot be used: {_words(error)}") from error
        outbox._writer = GroupCommit(
            outbox._commit,
            outbox._intents.get,
            rest=outbox._renew,
            rest_every_s=limits.lease_s / RENEWALS_A_LEASE,
        )
        return outbox

    def __init__(
        self,
        url: str,
        place: str,
        owner: str,
        monotonic: Callable[[], float],
        limits: PostgresLimits,
        unrenewed: Unrenewed,
    ) -> None:
        self._url = url
        self._place = place
        self._owner = owner
        self._monotonic = monotonic
        self._limits = limits
        self._unrenewed = unrenewed
        self._line: Connection | None = None
        self._intents: dict[int, Intent] = {}
        self._owned: frozenset[int] = frozenset()
        self._leased_until = float("-inf")
        self._is_renewing = True
        self._writer: GroupCommit

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
        """Of those that this process owns."""
        owned = self._owned
        known = list(self._intents.values())
        return tuple(i for i in known if i.state == "PENDING" and i.ticket in owned)

    def due(self) -> tuple[Intent, ...]:
        """None once the leases have run out: another process may have them in hand."""
        return self.pending() if self._monotonic() < self._leased_until else ()

    def outcomes(self) -> dict[int, IntentState]:
        """Of the service's; what other processes did since, where this one came across it."""
        return {ticket: intent.state for ticket, intent in list(self._intents.items())}

    def close(self) -> None:
        if not self._writer.close():
            return
        # Others need not wait for the leases to end. If that cannot be written, they do.
        with suppress(psycopg.Error, OSError), self._transaction() as line:
            line.execute(_LET_GO, (self._place, self._owner))
        self._hang_up()

    def _load(self) -> None:
        with self._transaction(_migrate) as line:
            line.execute(_FORGET, (self._place, self._place, CONCLUDED_KEPT_MAX))
            rows = line.execute(_SELECT_ALL, (self._place,)).fetchall()
            self._intents.update((row[0], read(row)) for row in rows)
            self._take_leases(line)

    def _commit(self, batch: list[Work]) -> None:
        """One transaction for the batch. Memory follows the database: what is not durable is not
        shown to anybody."""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                with self._transaction() as line:
                    changes = _Changes(batch, self._owner, self._rows(line, batch))
                    _write(line, self._place, changes.rows, self._limits.lease_s)
            except (psycopg.Error, OSError, ValueError) as error:
                was_lost = self._line is not None and self._line.closed
                self._hang_up()
                if was_lost and attempt < ATTEMPTS_MAX:
                    continue
                failure = OutboxFailed(f"not durable, as far as can be told: {_words(error)}")
                for item in batch:
                    known = self._intents.get(item.ticket)
                    answer_unwritten(item.change(known), item.future, failure)
                return
            break
        self._intents.update((intent.ticket, intent) for intent in changes.seen)
        self._owned = (self._owned - changes.let_go) | changes.taken
        for item, answer in zip(batch, changes.answers, strict=True):
            item.future.set_result(answer)

    def _rows(self, line: Connection, batch: list[Work]) -> dict[int, _Held]:
        tickets = sorted({item.ticket for item in batch})
        rows = line.execute(_SELECT, (self._place, tickets)).fetchall()
        return {row[0]: _Held(read(row[:5]), row[5], is_live=row[6]) for row in rows}

    def _renew(self) -> None:
        """Makes the leases longer, and takes over what nobody holds any more."""
        try:
            with self._transaction() as line:
                self._take_leases(line)
        except (psycopg.Error, OSError, ValueError) as error:
            self._hang_up()
            if self._is_renewing:
                self._unrenewed(_words(error))
            self._is_renewing = False
        else:
            self._is_renewing = True

    def _take_leases(self, line: Connection) -> None:
        began = self._monotonic()
        lease_s = self._limits.lease_s
        rows = line.execute(_RENEW, (self._owner, lease_s, self._place, self._owner)).fetchall()
        held = {row[0]: read(row) for row in sorted(rows)}
        gone = sorted(self._owned - held.keys())
        ended = line.execute(_SELECT, (self._place, gone)).fetchall() if gone else []
        self._intents.update(held)
        self._intents.update((row[0], read(row[:5])) for row in ended)
        self._owned = frozenset(held)
        self._leased_until = began + lease_s

    @contextmanager
    def _transaction(
        self, prepare: Callable[[Connection], None] = lambda _line: None
    ) -> Iterator[Connection]:
        """Alone among those who write for the place, and bounded: a server that is stopped, or a
        network that swallows, keeps no promise about time."""
        line = self._line = self._line or self._connect()
        timer = threading.Timer(self._limits.answer_s, _cut, (line,))
        timer.daemon = True
        timer.start()
        try:
            with line.transaction():
                prepare(line)
                line.execute(_LOCK, (self._place,))
                yield line
        finally:
            timer.cancel()

    def _connect(self) -> Connection:
        line = psycopg.connect(self._url, autocommit=True, connect_timeout=self._limits.connect_s)
        try:
            for name, seconds in (
                ("lock_timeout", self._limits.lock_s),
                ("statement_timeout", self._limits.statement_s),
                ("idle_in_transaction_session_timeout", self._limits.answer_s),
            ):
                line.execute(_SET, (name, f"{round(seconds * 1000)}ms"))
            line.execute(_SYNCHRONOUS)
        except BaseException:
            line.close()
            raise
        return line

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


@dataclass(frozen=True, slots=True)
class _Held:
    """An intent as it is stored; `is_live` while its owner's lease lasts. The owner of one that
    came to its end is who wrote that."""

    intent: Intent
    owner: str
    is_live: bool

    def belongs_to_other(self, owner: str) -> bool:
        """Whether another process is going on with it."""
        return self.intent.state == "PENDING" and self.is_live and self.owner != owner


class _Changes:
    """What a batch does to what is stored: `rows` to be written with their owners, and `answers`
    in its order; `seen` is what is there afterwards, `taken` and `let_go` what this process owns of
    it now, or not."""

    def __init__(self, batch: Iterable[Work], owner: str, stored: dict[int, _Held]) -> None:
        after = dict(stored)
        self.answers: list[object] = []
        for item in batch:
            held = after.get(item.ticket)
            known = None if held is None else held.intent
            changed, answer, _unwritten = item.change(known)
            self.answers.append(answer)
            intent = changed or known
            if intent is None or (changed is None and intent.state != "PENDING"):
                continue
            if held is not None and item.patient and _is_too_late(held, intent, owner):
                continue
            if held is not None and intent.state == "PENDING" and held.belongs_to_other(owner):
                after[item.ticket] = replace(held, intent=intent)
            else:
                after[item.ticket] = _Held(intent, owner, is_live=True)
        self.rows = [held for ticket, held in sorted(after.items()) if held != stored.get(ticket)]
        self.seen = [held.intent for held in after.values()]
        ours = {
            ticket
            for ticket, held in after.items()
            if held.owner == owner and held.intent.state == "PENDING"
        }
        self.taken = frozenset(ours)
        self.let_go = frozenset(after.keys() - ours)


def _is_too_late(held: _Held, outcome: Intent, owner: str) -> bool:
    """The end that was written first stands, unless who wrote it corrects it to another."""
    is_other = held.owner != owner or outcome.state == "PENDING"
    return held.intent.state != "PENDING" and is_other


def _write(line: Connection, place: str, rows: list[_Held], lease_s: float) -> None:
    if rows:
        with line.cursor() as cursor:
            cursor.executemany(
                _UPSERT, [(place, *written(held.intent), held.owner, lease_s) for held in rows]
            )


def _cut(line: Connection) -> None:
    """Whoever waits for an answer on it then sees a lost connection."""
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(line.fileno())) as ended:
        ended.shutdown(socket.SHUT_RDWR)


def _words(error: Exception) -> str:
    """One line, without where and how the server found it."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return " ".join((primary or str(error)).split())


def _migrate(line: Connection) -> None:
    """Brings the schema up to date, one process at a time. Raises `ValueError` for a later one."""
    line.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
    if line.execute("SELECT to_regclass('dtms_outbox_schema') IS NULL").fetchone() == (True,):
        line.execute("CREATE TABLE dtms_outbox_schema (version integer NOT NULL)")
        line.execute("INSERT INTO dtms_outbox_schema VALUES (0)")
    (version,) = line.execute("SELECT version FROM dtms_outbox_schema").fetchone() or (0,)
    if version > SCHEMA_VERSION:
        raise ValueError(
            f"it was written by a later version (schema {version}, this one knows {SCHEMA_VERSION})"
        )
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            line.execute(statement)
    if version < SCHEMA_VERSION:
        line.execute("UPDATE dtms_outbox_schema SET version = %s", (SCHEMA_VERSION,))


MIGRATION_LOCK = 0x64746D74
"""The advisory lock under which the schema is changed."""
MIGRATIONS: tuple[tuple[LiteralString, ...], ...] = (
    (
        "CREATE TABLE dtms_intents (position bigint GENERATED ALWAYS AS IDENTITY, "
        "place text NOT NULL, ticket bigint NOT NULL, trade text NOT NULL, "
        "correlation_id text NOT NULL, state text NOT NULL, reason text NOT NULL, "
        "owner text NOT NULL, leased_until timestamptz NOT NULL, PRIMARY KEY (place, ticket))",
        "CREATE INDEX dtms_intents_pending ON dtms_intents (place) WHERE state = 'PENDING'",
    ),
)
SCHEMA_VERSION = len(MIGRATIONS)
_ROW: LiteralString = "ticket, trade, correlation_id, state, reason"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_SELECT_ALL = f"SELECT {_ROW} FROM dtms_intents WHERE place = %s ORDER BY position"
_SELECT = (
    f"SELECT {_ROW}, owner, leased_until > clock_timestamp() FROM dtms_intents "
    "WHERE place = %s AND ticket = ANY(%s)"
)
_UPSERT = (
    f"INSERT INTO dtms_intents (place, {_ROW}, owner, leased_until) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s, clock_timestamp() + make_interval(secs => %s)) "
    "ON CONFLICT (place, ticket) DO UPDATE SET trade = excluded.trade, "
    "correlation_id = excluded.correlation_id, state = excluded.state, reason = excluded.reason, "
    "owner = excluded.owner, leased_until = excluded.leased_until"
)
_RENEW = (
    "UPDATE dtms_intents SET owner = %s, "
    "leased_until = clock_timestamp() + make_interval(secs => %s) WHERE place = %s "
    f"AND state = 'PENDING' AND (owner = %s OR leased_until <= clock_timestamp()) RETURNING {_ROW}"
)
_LET_GO = (
    "UPDATE dtms_intents SET leased_until = '-infinity' "
    "WHERE place = %s AND owner = %s AND state = 'PENDING'"
)
_FORGET = (
    "DELETE FROM dtms_intents WHERE place = %s AND state <> 'PENDING' AND position <= "
    "(SELECT coalesce(max(position), 0) FROM dtms_intents WHERE place = %s) - %s"
)
_SET = "SELECT set_config(%s, %s, false)"
_SYNCHRONOUS = (
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') = 'off'"
)
"""Whoever turned it off for this user or database did not mean trades."""
