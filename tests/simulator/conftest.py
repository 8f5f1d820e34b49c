"""What tests of the simulator share: engines in this process, and real server processes."""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from simulator.api import Api
from simulator.broker_client import NoData
from simulator.engine import Engine, Status
from simulator.lab import Lab
from simulator.log import Log
from simulator.messages import Options
from simulator.persistence import Store
from simulator.postgres_store import PostgresLimits, PostgresStore
from simulator.request import EnableRequest
from simulator.store import SqliteStore

TOKEN = "sesame"
LIMITS = PostgresLimits(connections=2, connect_s=1.0, lock_s=0.3, statement_s=1.0, answer_s=1.5)
"""Short, so that a test that waits for one need not wait long."""
GOOD: dict[str, object] = {
    "ticket": 1001,
    "symbol": "XAUUSD",
    "direction": "BUY",
    "entry": 2350.0,
    "volume": 0.5,
    "stop_loss": 2340.0,
    "take_profit": 2370.0,
}


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class TableBroker:
    """Positions by ticket; None is "no data". Fails for as long as it is told to."""

    positions_by_ticket: dict[int, EnableRequest] | None = field(default_factory=dict)
    failures: int = 0
    asked: int = 0

    async def positions(self) -> dict[int, EnableRequest]:
        self.asked += 1
        if self.failures or self.positions_by_ticket is None:
            self.failures = max(0, self.failures - 1)
            raise NoData("told to fail")
        return dict(self.positions_by_ticket)


@dataclass
class TableRegistry:
    """Who owns what elsewhere; a ticket that is not named is nobody's."""

    owned: dict[int, bool | None] = field(default_factory=dict)

    async def is_owned_elsewhere(self, ticket: int) -> bool | None:
        return self.owned.get(ticket, False)


@dataclass
class Running:
    """An engine that was started, the API around it, and a client of it."""

    engine: Engine
    api: Api
    client: httpx.AsyncClient
    log: io.StringIO

    async def enable(self, **changed: object) -> httpx.Response:
        return await self.client.post("/dtms/trade/enable", json=GOOD | changed)

    async def ready(self) -> Running:
        await self.engine.initialize()
        assert self.engine.status is Status.READY, self.log.getvalue()
        return self

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@asynccontextmanager
async def open_engine(
    store: Store,
    *,
    broker: TableBroker | None = None,
    registry: TableRegistry | None = None,
    options: Options | None = None,
    interval_s: float = 60.0,
    broker_wait_s: float = 0.2,
    before: Callable[[Engine], None] = lambda _engine: None,
    on_failed: Callable[[], None] = lambda: None,
    **more: object,
) -> AsyncIterator[Running]:
    stream = io.StringIO()
    engine = Engine(
        store,
        broker=broker,
        registry=registry,
        now=now,
        monotonic=time.monotonic,
        draw=random.Random(1).random,
        log=Log(now, stream),
        monitoring_interval_s=interval_s,
        broker_wait_s=broker_wait_s,
        on_failed=on_failed,
        **more,  # type: ignore[arg-type]
    )
    before(engine)
    api = Api(engine, options or Options(rate_limit=False), lab=Lab(engine, TOKEN))
    engine.start()
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://dtms") as client:
        try:
            yield Running(engine, api, client, stream)
        finally:
            await engine.aclose()


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[[], Store]:
    """Makes stores on the test's own data."""
    return lambda: SqliteStore(tmp_path / "data", now)


@pytest.fixture(params=["sqlite", "postgres"])
def every_store(request, tmp_path: Path) -> Callable[[], Store]:
    """Makes stores of one kind, on the test's own data. A module that means all kinds has
    `make_store` return it."""
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / "data", now)
    url = request.getfixturevalue("make_database")()
    return lambda: PostgresStore(url, uuid4().hex, limits=LIMITS)


@pytest.fixture
def engine_at(make_store: Callable[[], Store]):
    """`open_engine` on the test's own data."""

    def open_here(**given: object):
        return open_engine(make_store(), **given)  # type: ignore[arg-type]

    return open_here


@pytest.fixture
def engine_of():
    """`open_engine` on a store, ready."""

    @asynccontextmanager
    async def open_ready(store: Store, **given: object):
        async with open_engine(store, **given) as running:  # type: ignore[arg-type]
            yield await running.ready()

    return open_ready


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10.0) as client:
        yield client


@pytest.fixture
async def dtms(engine_at) -> AsyncIterator[Running]:
    """A ready DTMS without a broker."""
    async with engine_at() as running:
        yield await running.ready()


@pytest.fixture
def good() -> dict[str, object]:
    return dict(GOOD)


@pytest.fixture
def table_broker() -> TableBroker:
    return TableBroker()


@pytest.fixture
def table_registry() -> TableRegistry:
    return TableRegistry()


@pytest.fixture
def position() -> Callable[..., EnableRequest]:
    def make(ticket: int = 1001, **changed: object) -> EnableRequest:
        return EnableRequest(**(GOOD | {"ticket": ticket} | changed))  # type: ignore[arg-type]

    return make


@dataclass
class Process:
    """A server process and what it logs."""

    popen: subprocess.Popen[bytes]
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def until(self, event: str) -> dict[str, object]:
        """The next log line with this event; fails the test where the process ends first."""
        assert self.popen.stderr is not None
        seen = []
        for line in self.popen.stderr:
            seen.append(line.decode())
            if line.startswith(b"{") and json.loads(line)["event"] == event:
                return json.loads(line)
        pytest.fail(f"ended before {event!r}: {seen}")

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def stop(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(timeout=20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts `python -m MODULE` processes; each is ended after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(module: str, *arguments: str, listens: bool = True, **environ: str) -> Process:
        popen = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, "DTMS_LAB_TOKEN": TOKEN, **environ},
        )
        started.append(popen)
        process = Process(popen)
        if listens:
            process.port = int(str(process.until("listening")["port"]))
        return process

    yield run
    for popen in started:
        popen.kill()
        popen.communicate()


@pytest.fixture
def simulate(start, tmp_path: Path) -> Callable[..., Process]:
    """Starts a DTMS API on a free port, always on the same data."""

    def run(*arguments: str, **given: object) -> Process:
        data = str(tmp_path / "data")
        return start("simulator", "--port", "0", "--data-dir", data, *arguments, **given)

    return run


async def eventually(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Waits until the condition holds; fails the test after `within_s`."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - of anything, also what has no event
            await asyncio.sleep(0.005)


@pytest.fixture
def until():
    return eventually
