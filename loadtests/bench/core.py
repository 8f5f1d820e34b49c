"""What a registration through the core costs, against a bare POST with the same HTTP library.

CPU seconds of this process, in rounds that take turns, so that a machine whose speed drifts slows
both. The server is another process.
"""

from __future__ import annotations

import asyncio
import io
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import aiohttp
import httpx

from core.bridge import Bridge
from core.helper import auto_register_dtms, close_bridges, install
from core.payload import enable_payload
from core.production import Core
from core.settings import Policy, Settings
from core.trade import Direction, Trade
from loadtests.bench.figure import Figure, quantile
from loadtests.bench.processes import event, started

ROUNDS = 7
PER_ROUND = 200
CALLS = 300
FIRST = Trade(1, "XAUUSD", Direction.BUY, 2350.25, 0.5, 2340.0, 2370.5)


def measure() -> tuple[Figure, ...]:
    """Every figure about the core."""
    with started("loadtests.bench.echo_server", ()) as server:
        port = int(str(event(server, "listening")["port"]))
        figures = asyncio.run(_costs(port))
    return (*figures, *_auto_register())


async def _costs(port: int) -> tuple[Figure, ...]:
    figures = []
    for adapter in ("httpx", "aiohttp"):
        bare, off, on = await _rounds(port, adapter)
        figures.append(Figure(f"bare_post_{adapter}", statistics.median(bare) * 1e6, "us CPU"))
        for name, costs, bound in (("unverified", off, 1.5), ("verified", on, 2.5)):
            ratio = statistics.median(a / b for a, b in zip(costs, bare, strict=True))
            promised = bound if adapter == "httpx" else None
            figures.append(Figure(f"core_to_bare_{adapter}_{name}", ratio, "ratio", promised))
    return tuple(figures)


async def _rounds(
    port: int, adapter: Literal["httpx", "aiohttp"]
) -> tuple[list[float], list[float], list[float]]:
    """CPU seconds for each registration: bare, core without and with verification, by round."""
    with tempfile.TemporaryDirectory() as folder:
        unverified = _core(port, adapter, Path(folder) / "off.db", verify=False)
        verified = _core(port, adapter, Path(folder) / "on.db", verify=True)
        async with unverified, verified:
            post, close = _bare(port, adapter)
            ways = (
                post,
                lambda trade: unverified.register(trade),
                lambda trade: verified.register(trade),
            )
            costs: tuple[list[float], ...] = ([], [], [])
            for number in range(ROUNDS + 1):
                for way, found in zip(ways, costs, strict=True):
                    cost = await _cost(way, 1 + number * PER_ROUND)
                    if number:  # the first round warms up
                        found.append(cost)
            await close()
    return costs[0], costs[1], costs[2]


async def _cost(way: Callable[[Trade], Awaitable[object]], first: int) -> float:
    trades = [replace(FIRST, ticket=first + n) for n in range(PER_ROUND)]
    before = time.process_time()
    for trade in trades:
        await way(trade)
    return (time.process_time() - before) / PER_ROUND


def _core(port: int, adapter: Literal["httpx", "aiohttp"], outbox: Path, *, verify: bool) -> Core:
    settings = Settings(port=port, policy=Policy(verify=verify))
    return Core(settings, outbox=outbox, adapter=adapter, event_stream=io.StringIO())


def _bare(
    port: int, adapter: str
) -> tuple[Callable[[Trade], Awaitable[object]], Callable[[], Awaitable[None]]]:
    """The least that registers: one pooled client, JSON out, the answer's success looked at."""
    url = f"http://127.0.0.1:{port}/dtms/trade/enable"
    if adapter == "httpx":
        client = httpx.AsyncClient(timeout=5.0)

        async def post(trade: Trade) -> object:
            response = await client.post(url, json=enable_payload(trade))
            return response.json()["success"]

        return post, client.aclose
    session = aiohttp.ClientSession()

    async def post_aiohttp(trade: Trade) -> object:
        async with session.post(url, json=enable_payload(trade)) as response:
            return json.loads(await response.read())["success"]

    return post_aiohttp, session.close


def _auto_register() -> tuple[Figure, ...]:
    """How long `auto_register_dtms` holds up a running loop while nobody listens at the API."""
    settings = Settings(host="127.0.0.1", port=1)
    took_ms: list[float] = []

    async def call_all() -> None:
        for n in range(CALLS):
            data = {"symbol": "XAUUSD", "direction": "BUY", "price": 2350.0, "lot": 0.1}
            before = time.perf_counter()
            accepted = auto_register_dtms(n + 1, data)
            took_ms.append((time.perf_counter() - before) * 1e3)
            assert accepted, "the intent was not accepted"
            await asyncio.sleep(0.002)

    with tempfile.TemporaryDirectory() as folder:
        outbox = Path(folder) / "outbox.db"
        bridge = Bridge(lambda: Core(settings, outbox=outbox, event_stream=io.StringIO()))
        install(Settings().api_url, bridge)
        try:
            asyncio.run(call_all())
        finally:
            close_bridges()
    return (
        Figure("auto_register_server_down_p50", quantile(took_ms, 0.5), "ms"),
        Figure("auto_register_server_down_p99", quantile(took_ms, 0.99), "ms", 50.0),
    )
