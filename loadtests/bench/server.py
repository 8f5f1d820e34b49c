"""How many durable registrations a second the simulated API makes, and how fast it recovers."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
import time
import urllib.request
from datetime import datetime
from pathlib import Path

import msgspec

from loadtests.bench.figure import Figure, quantile
from loadtests.bench.processes import cpus, event, simulator, started

CONNECTIONS = 32
WARM_UP_S = 1.0
MEASURED_S = 5.0
TRADES = 10_000
ROUNDS = 5


def measure() -> tuple[Figure, ...]:
    """Every figure about the server."""
    return (*_registrations(), *_recovery())


def _registrations() -> tuple[Figure, ...]:
    """The server has one processor, the client another. Every answer is read and looked at."""
    served, serving = cpus()
    before = os.sched_getaffinity(0) if serving is not None else None
    with (
        tempfile.TemporaryDirectory() as folder,
        started("simulator", simulator(Path(folder)), cpu=served) as server,
    ):
        port = int(str(event(server, "listening")["port"]))
        event(server, "ready")
        if serving is not None:
            os.sched_setaffinity(0, {serving})
        try:
            loaded = asyncio.run(load(port))
        finally:
            if before is not None:
                os.sched_setaffinity(0, before)
        stored = _stored(Path(folder))
    assert stored >= loaded.answered, f"{loaded.answered} were acknowledged, {stored} are stored"
    measured = loaded.latencies_ms
    return (
        Figure(
            "durable_registrations_one_core_32_connections",
            len(measured) / MEASURED_S,
            "per second",
            5_000,
            "at least",
        ),
        Figure("durable_registration_p50", quantile(measured, 0.5), "ms"),
        Figure("durable_registration_p99", quantile(measured, 0.99), "ms", 25.0),
    )


class Load:
    """What CONNECTIONS keep-alive connections got done, one request at a time on each."""

    def __init__(self) -> None:
        self.answered = 0
        self.latencies_ms: list[float] = []
        self.measure_from = float("inf")
        self.until = float("inf")
        self._next = 0

    def ticket(self) -> int:
        self._next += 1
        return self._next

    def note(self, began: float, ended: float) -> None:
        self.answered += 1
        if began >= self.measure_from and ended <= self.until:
            self.latencies_ms.append((ended - began) * 1e3)


class Connection(asyncio.Protocol):
    """Sends the next registration as soon as the last is answered."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._answer = b""
        self._began = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        if not separator or len(body) < _length(head):
            return
        if b" 200 " not in head[:16] or b'"success":true' not in body:
            self.done.set_exception(RuntimeError(f"not registered: {self._answer[:300]!r}"))
            self._transport.close()
            return
        now = time.perf_counter()
        self._load.note(self._began, now)
        self._answer = b""
        if now < self._load.until:
            self._send()
        else:
            self._transport.close()
            self.done.set_result(None)

    def _send(self) -> None:
        body = (
            b'{"ticket":%d,"symbol":"XAUUSD","direction":"BUY","entry":2350.5,"volume":0.5,'
            b'"stop_loss":2340.0,"take_profit":2370.0}' % self._load.ticket()
        )
        self._began = time.perf_counter()
        self._transport.write(
            b"POST /dtms/trade/enable HTTP/1.1\r\nhost: localhost\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )


async def load(port: int) -> Load:
    """What got done at a server in MEASURED_S, after WARM_UP_S."""
    got = Load()
    loop = asyncio.get_running_loop()
    now = time.perf_counter()
    got.measure_from, got.until = now + WARM_UP_S, now + WARM_UP_S + MEASURED_S
    made = [
        await loop.create_connection(lambda: Connection(got), "127.0.0.1", port)
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(connection.done for _transport, connection in made))
    return got


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _stored(folder: Path) -> int:
    with sqlite3.connect(folder / "dtms.db") as database:
        return int(database.execute("SELECT count(*) FROM trades").fetchone()[0])


def _recovery() -> tuple[Figure, ...]:
    """From the open port to ready, with as many trades in the store and at the broker."""
    with (
        tempfile.TemporaryDirectory() as folder,
        started("simulator.broker", ("--port", "0")) as broker,
    ):
        port = int(str(event(broker, "listening")["port"]))
        _fill(port)
        more = ("--broker-url", f"http://127.0.0.1:{port}")
        took_s = [_start_s(Path(folder), more) for _ in range(ROUNDS + 1)]
    # The first start adopts all from the broker; the others restore what it stored.
    restored = quantile(took_s[1:], 0.5)
    return (
        Figure("recovery_of_10000_trades", restored, "s", 1.0),
        Figure("adoption_of_10000_positions", took_s[0], "s"),
    )


def _fill(port: int) -> None:
    position = {"symbol": "XAUUSD", "direction": "BUY", "entry_price": 2350.0, "volume": 0.1}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/_lab/positions",
        data=msgspec.json.encode({str(n): position for n in range(1, TRADES + 1)}),
        method="PUT",
        headers={"X-Lab-Token": "bench"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200, answer.status


def _start_s(folder: Path, more: tuple[str, ...]) -> float:
    with started("simulator", simulator(folder, *more)) as server:
        opened = event(server, "listening")
        ready = event(server, "ready")
    assert ready["active_trades"] == TRADES, ready
    moments = [datetime.fromisoformat(str(line["time"])) for line in (opened, ready)]
    return (moments[1] - moments[0]).total_seconds()
