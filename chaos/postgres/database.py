"""What can go wrong with a PostgreSQL server, done to a real one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack, closing

import psycopg
from psycopg import sql

from chaos.capabilities import DatabaseFailure, Undo
from chaos.postgres.server import CONNECT_S_MAX, GivenPostgres, PostgresServer
from chaos.undo import nothing, once

ROUNDS_MAX = 50
"""How often connections are taken, and those of others ended, until none is left to anybody."""


class PostgresDatabase:
    """Offers `Database`. `lock` names the tables that "locked" is about. What a server that was
    given by its URL cannot suffer raises `PostgresRefused`."""

    def __init__(self, server: PostgresServer | GivenPostgres, *, lock: Sequence[str] = ()) -> None:
        self._server = server
        self._lock = tuple(lock)

    async def fail(self, how: DatabaseFailure) -> Undo:
        server = self._server
        match how:
            case "killed":
                server.kill()
                return once(self._start)
            case "frozen":
                server.freeze()
                return once(self._thaw)
            case "cut-off":
                await asyncio.to_thread(self._cut_off)
                return nothing
            case "locked":
                held = await asyncio.to_thread(self._hold_lock)
            case "exhausted":
                held = await asyncio.to_thread(self._take_all)
        return once(lambda: asyncio.to_thread(held.close))

    async def _start(self) -> None:
        # Not in a thread: the server dies with the one that it was started by.
        self._server.launch()
        await asyncio.to_thread(self._server.wait_until_ready)

    async def _thaw(self) -> None:
        self._server.thaw()

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self._server.url, autocommit=True, connect_timeout=CONNECT_S_MAX)

    def _cut_off(self) -> None:
        with closing(self._connect()) as admin:
            admin.execute(_END_OTHERS, ([],))

    def _hold_lock(self) -> ExitStack:
        """A transaction that reads and writes nothing more, and is not ended."""
        held = ExitStack()
        line = held.enter_context(closing(self._connect()))
        line.execute("BEGIN")
        for table in self._lock:
            line.execute(sql.SQL("LOCK TABLE {}").format(sql.Identifier(*table.split("."))))
        return held

    def _take_all(self) -> ExitStack:
        """Every connection there can be, also those that others have."""
        held = ExitStack()
        lines = [held.enter_context(closing(self._connect()))]
        for _round in range(ROUNDS_MAX):
            try:
                while True:
                    lines.append(held.enter_context(closing(self._connect())))
            except psycopg.OperationalError:
                ours = [line.info.backend_pid for line in lines]
                if lines[0].execute(_END_OTHERS, (ours,)).rowcount == 0:
                    break
        return held


_END_OTHERS = (
    "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND pid <> ALL(%s::int[])"
)
"""Waits a second at most for each to be gone."""
