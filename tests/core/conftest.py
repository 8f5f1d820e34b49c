"""What tests of the core share: a clock that is moved by hand, an API that follows a script, a
server on a real socket that misbehaves, and cores put together from them."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from core.alerts import Alert, Alerts
from core.events import Events
from core.metrics import Metrics
from core.outbox import Intent
from core.port import Answer
from core.production import Core
from core.registrar import Registrar
from core.settings import Policy, Settings
from core.trade import Direction, Trade

READY = Answer(200, {"ready": True})


class HandClock:
    """Time passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)


Step = Answer | Exception


@dataclass
class ScriptedApi:
    """Answers from scripts; the last step of each goes on for ever."""

    enables: list[Step] = field(default_factory=list)
    lookups: list[Step] = field(default_factory=list)
    healths: list[Step] = field(default_factory=lambda: [READY])
    sent: list[tuple[str, object]] = field(default_factory=list)
    correlation_ids: set[str] = field(default_factory=set)
    timeouts: list[float] = field(default_factory=list)
    looked_up: list[tuple[int, float, str]] = field(default_factory=list)
    health_timeouts: list[float] = field(default_factory=list)
    before_enable: Callable[[], Awaitable[None]] | None = None
    closed: bool = False

    async def enable(self, payload, *, timeout_s, correlation_id):
        if self.before_enable is not None:
            await self.before_enable()
        self.sent.append(("enable", payload["ticket"]))
        self.correlation_ids.add(correlation_id)
        self.timeouts.append(timeout_s)
        return self._next(self.enables)

    async def lookup(self, ticket, *, timeout_s, correlation_id):
        self.sent.append(("lookup", ticket))
        self.looked_up.append((ticket, timeout_s, correlation_id))
        return self._next(self.lookups)

    async def health(self, *, timeout_s):
        self.sent.append(("health", None))
        self.health_timeouts.append(timeout_s)
        return self._next(self.healths)

    async def aclose(self):
        self.closed = True

    def count(self, call: str) -> int:
        return sum(name == call for name, _about in self.sent)

    def _next(self, script: list[Step]) -> Answer:
        step = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(step, Exception):
            raise step
        return step


class Sink:
    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def emit(self, alert: Alert) -> None:
        self.alerts.append(alert)


def stored(trade: Trade, **changed: object) -> dict[str, object]:
    """The server's trade_info of a trade."""
    return {
        "ticket": trade.ticket,
        "symbol": trade.symbol,
        "direction": trade.direction.value,
        "entry_price": trade.entry,
        "volume": trade.volume,
        "stop_loss": trade.stop_loss,
        "take_profit": trade.take_profit,
        "state": "HEALTHY",
        **changed,
    }


@dataclass
class Answers:
    """Whole answers about one trade."""

    trade: Trade

    def accepted(self, already: bool = False, **changed: object) -> Answer:
        body = {
            "success": True,
            "trade_info": stored(self.trade, **changed),
            "already_registered": already,
        }
        return Answer(200, body)

    def found(self, **changed: object) -> Answer:
        info = stored(self.trade, **changed)
        return Answer(200, {"success": True, "state": info["state"], "trade_info": info})


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def trade() -> Trade:
    return Trade(1001, "XAUUSD", Direction.BUY, 2350.0, 0.5, 2340.0, 2370.0)


@pytest.fixture
def answers(trade: Trade) -> Answers:
    return Answers(trade)


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def api(answers: Answers) -> ScriptedApi:
    return ScriptedApi(enables=[answers.accepted()], lookups=[answers.found()])


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def events_of(log: io.StringIO) -> Callable[[], list[dict[str, object]]]:
    return lambda: [json.loads(line) for line in log.getvalue().splitlines()]


@pytest.fixture
def intent(trade: Trade) -> Intent:
    return Intent(trade, "c-1")


@pytest.fixture
def registrar(api: ScriptedApi, clock: HandClock, log: io.StringIO, sink: Sink):
    """Makes registrars on the scripted API."""

    def make(policy: Policy | None = None) -> Registrar:
        events = Events(log, clock=clock, service="bot")
        return Registrar(
            api,
            policy=policy or Policy(),
            clock=clock,
            draw=lambda: 0.5,
            alerts=Alerts(events, (sink,)),
            events=events,
            metrics=Metrics(CollectorRegistry()),
        )

    return make


@pytest.fixture
def make_core(tmp_path: Path, api: ScriptedApi, sink: Sink, log: io.StringIO):
    """Makes cores on the scripted API, one after another on the same outbox."""

    def make(policy: Policy | None = None, **replaced: object) -> Core:
        given: dict[str, object] = {
            "outbox": tmp_path / "outbox.db",
            "api": api,
            "draw": lambda: 0.5,
            "alert_sinks": (sink,),
            "event_stream": log,
            **replaced,
        }
        return Core(Settings(policy=policy or Policy()), **given)  # type: ignore[arg-type]

    return make


async def eventually(condition: Callable[[], object], within_s: float = 10.0) -> None:
    """Waits until the condition holds; fails the test after `within_s`."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - of anything, also what has no event
            await asyncio.sleep(0.002)


@pytest.fixture
def until():
    return eventually


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A raw server on a free port; its URL."""
    running: set[asyncio.Task[None]] = set()

    async def on_connection(reader, writer):
        task = asyncio.current_task()
        running.add(task)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            running.discard(task)
            writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()


@pytest.fixture
def serve():
    return serving


async def request_head(reader: asyncio.StreamReader) -> bytes:
    """Head and body of one request."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.split(b":")[1]))
    return head


@pytest.fixture
def read_request():
    return request_head


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens, kept from everybody else."""
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
