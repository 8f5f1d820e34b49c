"""What the embedded Toxiproxy adds and carries, with the real one beside it in the same run."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.toxiproxy.binary import find
from chaos.toxiproxy.client import ProxyState, ToxiproxyClient
from chaos.toxiproxy.server import ToxiproxyServer
from loadtests.bench.figure import Figure, quantile
from loadtests.bench.processes import event, started

REQUEST = b"GET /health HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\r\n"
ANSWER_ENDS = b"\r\n\r\n" + b'{"ready": true}'
CONNECTIONS = 32
MEASURED_S = 4.0
ROUNDS = 15
IN_A_ROUND = 200
"""Requests one after another, by each way in turn: what is added is seen within a round."""
CHURNED = 100_000
CHURN_WARM_UP = 20_000
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Way:
    """How the server is reached. `pid` is of the proxy in between."""

    name: str
    port: int
    pid: int


def measure() -> tuple[Figure, ...]:
    """Every figure about the proxies; those of the real one where it is installed."""
    return asyncio.run(_measure())


async def _measure() -> tuple[Figure, ...]:
    with started("loadtests.bench.echo_server", []) as server:
        port = int(str(event(server, "listening")["port"]))
        with _embedded() as (pid, client):
            ways = [Way("embedded", _laid(client, port), pid)]
            async with _real(port) as real:
                return (
                    *await _added(port, [*ways, *real]),
                    *[await _carried(way) for way in (*ways, *real)],
                    await _grown(ways[0]),
                )


@contextmanager
def _embedded() -> Iterator[tuple[int, ToxiproxyClient]]:
    words = [sys.executable, "-m", "chaos.toxiproxy", "--port", "0"]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        port = int(running.stdout.readline().rpartition(":")[2])
        yield running.pid, ToxiproxyClient("127.0.0.1", port)
    finally:
        running.terminate()
        running.communicate()


@asynccontextmanager
async def _real(port: int) -> AsyncIterator[list[Way]]:
    binary = find()
    if binary is None:
        yield []
        return
    async with ToxiproxyServer(binary) as real:
        assert real.pid is not None
        yield [Way("toxiproxy", _laid(real.client, port), real.pid)]


def _laid(client: ToxiproxyClient, port: int) -> int:
    laid = client.create(ProxyState("echo", "127.0.0.1:0", f"127.0.0.1:{port}"))
    return int(laid.listen.rpartition(":")[2])


async def _added(direct: int, ways: list[Way]) -> list[Figure]:
    """The median of the rounds' differences of medians."""
    added: dict[str, list[float]] = {way.name: [] for way in ways}
    lanes = {name: await _lane(port) for name, port in _ports(direct, ways).items()}
    for _ in range(ROUNDS):
        medians = {
            name: quantile(await lane.timed(IN_A_ROUND), 0.5) for name, lane in lanes.items()
        }
        for way in ways:
            added[way.name].append((medians[way.name] - medians["direct"]) * 1e6)
    for lane in lanes.values():
        lane.close()
    return [
        Figure(
            f"{name}_proxy_added_median",
            quantile(values, 0.5),
            "us",
            100.0 if name == "embedded" else None,
        )
        for name, values in added.items()
    ]


def _ports(direct: int, ways: list[Way]) -> dict[str, int]:
    return {"direct": direct, **{way.name: way.port for way in ways}}


async def _carried(way: Way) -> Figure:
    lanes = [await _lane(way.port) for _ in range(CONNECTIONS)]
    until = time.perf_counter() + MEASURED_S
    before_s = _cpu_s(way.pid)
    counts = await asyncio.gather(*(lane.until(until) for lane in lanes))
    spent_s = _cpu_s(way.pid) - before_s
    for lane in lanes:
        lane.close()
    return Figure(
        f"{way.name}_proxy_requests_one_core_{CONNECTIONS}_connections",
        sum(counts) / spent_s,
        "per CPU second",
        12_000 if way.name == "embedded" else None,
        "at least",
    )


async def _grown(way: Way) -> Figure:
    await _churn(way.port, CHURN_WARM_UP)
    before = _resident_bytes(way.pid)
    await _churn(way.port, CHURNED)
    grown = (_resident_bytes(way.pid) - before) / 2**20
    return Figure(f"embedded_proxy_memory_of_{CHURNED}_connections", grown, "MiB", 2.0)


async def _churn(port: int, connections: int) -> None:
    async def one_after_another(count: int) -> None:
        for _ in range(count):
            lane = await _lane(port)
            await lane.timed(1)
            lane.close()

    await asyncio.gather(*(one_after_another(connections // AT_ONCE) for _ in range(AT_ONCE)))


class Lane(asyncio.Protocol):
    """One keep-alive connection, on which a request follows an answer."""

    def __init__(self) -> None:
        self._answered: asyncio.Future[None] | None = None
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if self._heard.endswith(ANSWER_ENDS) and self._answered is not None:
            self._heard = b""
            self._answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionError("the proxy closed the connection"))

    async def ask(self) -> None:
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(REQUEST)
        await self._answered

    async def timed(self, count: int) -> list[float]:
        """Seconds of each of so many requests."""
        times = []
        for _ in range(count):
            began = time.perf_counter()
            await self.ask()
            times.append(time.perf_counter() - began)
        return times

    async def until(self, end: float) -> int:
        """How many requests were answered until then."""
        count = 0
        while time.perf_counter() < end:
            await self.ask()
            count += 1
        return count

    def close(self) -> None:
        self._transport.close()


async def _lane(port: int) -> Lane:
    _transport, lane = await asyncio.get_running_loop().create_connection(Lane, "127.0.0.1", port)
    return lane


def _cpu_s(pid: int) -> float:
    """CPU seconds that a process has used, by Linux's /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
