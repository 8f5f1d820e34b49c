"""Whole HTTP stacks on simulated sockets: clients see what they see on real ones."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from chaos.faults import (
    CrashAt,
    DropAnswer,
    DropRequest,
    Garbage,
    HalfOpen,
    Latency,
    Limit,
    Refuse,
    Reset,
    Stall,
    Truncate,
)
from chaos.proxy import FaultProxy, Port, TcpPort
from chaos.schedule import at
from scenarios.checkers import judge
from scenarios.episode import checkers_for
from scenarios.suites import SCENARIOS
from scenarios.targets.spec import client_target, server_target
from scenarios.verdict import Invalid, Valid, combine
from scenarios.worlds.sim import socket_wires
from scenarios.worlds.sim.foreign import why_not_simulated
from scenarios.worlds.sim.http_server import HttpServer
from scenarios.worlds.sim.play import Plan, play
from scenarios.worlds.sim.port import SimPort
from scenarios.worlds.world import EnvironmentFailed
from simulator.deterministic.loop import SimLoop
from simulator.deterministic.network import Network
from simulator.deterministic.process import Process
from simulator.deterministic.stand_ins import stand_ins

LINK = "bot->dtms"
ENABLE = "/dtms/trade/enable"
TIMEOUT_S = 0.3
WAIT_S_MAX = 10.0
ZOO = Path(__file__).parents[3] / "zoo"

Ask = Callable[[str], Awaitable[int]]
Stage = Callable[[Callable[[], Port]], Coroutine[Any, Any, Any]]


def in_simulation(stage: Stage) -> Any:
    """What `stage` returns in a loop of simulated sockets."""
    loop = SimLoop()
    loop.network = network = Network(loop)
    try:
        with stand_ins(loop, seed=0):
            return loop.run(stage(lambda: SimPort(network)))
    finally:
        loop.close()


def on_this_machine(stage: Stage) -> Any:
    """What `stage` returns in a loop of real sockets."""
    return asyncio.run(stage(TcpPort))


async def app(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    body = b'{"success": true, "trade_info": {"ticket": 1001}}'
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def with_httpx(tell: Callable[[Ask], Awaitable[Any]]) -> Any:
    async with httpx.AsyncClient(timeout=TIMEOUT_S, verify=False) as client:

        async def ask(url: str) -> int:
            return (await client.post(url, json={"ticket": 1001})).status_code

        return await tell(ask)


async def with_aiohttp(tell: Callable[[Ask], Awaitable[Any]]) -> Any:
    limits = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=limits) as client:

        async def ask(url: str) -> int:
            async with client.post(url, json={"ticket": 1001}) as answer:
                await answer.read()
                return answer.status

        return await tell(ask)


CLIENTS = {"httpx": with_httpx, "aiohttp": with_aiohttp}


async def seen(ask: Ask, url: str) -> str:
    """The status, or the kind of the error and of what caused it."""
    try:
        return str(await ask(url))
    except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
        causes = [type(error).__name__]
        while error.__cause__ is not None:
            error = error.__cause__
            causes.append(type(error).__name__)
        return " from ".join(causes)


FAULTS: dict[str, Any] = {
    "nothing": None,
    "refuse": Refuse(LINK),
    "refuse new ones": Refuse(LINK, cut=False),
    "reset": Reset(LINK),
    "too slow": Latency(LINK, latency_ms=1000),
    "stall": Stall(LINK),
    "stall of answers": Stall(LINK, "down"),
    "half open": HalfOpen(LINK),
    "cut answer": Limit(LINK, 60),
    "truncated answer": Truncate(LINK),
    "garbage": Garbage(LINK, kind="not-http"),
    "lost answer, reset": DropAnswer(LINK, how="reset"),
    "lost answer, close": DropAnswer(LINK, how="close"),
    "lost answer, silence": DropAnswer(LINK, how="hang"),
    "lost request, reset": DropRequest(LINK, how="reset"),
    "lost request, close": DropRequest(LINK, how="close"),
    "lost request, silence": DropRequest(LINK, how="hang"),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_looks_the_same_on_simulated_sockets(name: str, client: str) -> None:
    async def stage(ports: Callable[[], Port]) -> list[str]:
        server = HttpServer(app, 0)
        await server.start()
        async with FaultProxy(ports=ports) as proxy:
            port = await proxy.link(LINK, "127.0.0.1", server.port)
            url = f"http://127.0.0.1:{port}{ENABLE}"

            async def tell(ask: Ask) -> list[str]:
                told = [await seen(ask, url)]
                undo = await FAULTS[name].inflict(proxy) if FAULTS[name] is not None else None
                # The first may use the connection that was kept; the second cannot trust it.
                told += [await seen(ask, url), await seen(ask, url)]
                if undo is not None:
                    await undo()
                return [*told, await seen(ask, url)]

            told: list[str] = await CLIENTS[client](tell)
        await server.stop()
        return told

    simulated = in_simulation(stage)
    assert simulated == on_this_machine(stage)
    assert simulated[0] == "200"
    assert (simulated[1] == "200") == (name in {"nothing", "refuse new ones"})


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_that_is_not_there_looks_the_same(client: str) -> None:
    async def stage(ports: Callable[[], Port]) -> list[str]:
        server = HttpServer(app, 0)
        await server.start()
        port = server.port
        await server.stop()
        async with FaultProxy(ports=ports) as proxy:
            link = await proxy.link(LINK, "127.0.0.1", port)

            async def tell(ask: Ask) -> list[str]:
                directly = await seen(ask, f"http://127.0.0.1:{port}{ENABLE}")
                return [directly, await seen(ask, f"http://127.0.0.1:{link}{ENABLE}")]

            told: list[str] = await CLIENTS[client](tell)
            return told

    assert in_simulation(stage) == on_this_machine(stage)


DIES = """
import os, signal, socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
if sys.argv[1] == "all":
    while not connection.recv(4096).endswith(b"}"):
        pass
else:
    time.sleep(0.1)
    connection.recv(20)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("proxied", [False, True], ids=["directly", "through the proxy"])
@pytest.mark.parametrize("reads", ["all", "part"])
def test_a_server_killed_in_the_middle_looks_the_same(
    client: str, proxied: bool, reads: str
) -> None:
    async def told(port: int, ports: Callable[[], Port]) -> list[str]:
        async with FaultProxy(ports=ports) as proxy:
            link = await proxy.link(LINK, "127.0.0.1", port)

            async def tell(ask: Ask) -> list[str]:
                url = f"http://127.0.0.1:{link if proxied else port}{ENABLE}"
                first = await seen(ask, url)
                await asyncio.sleep(0.1)  # a dying process takes its listener with it last
                return [first, await seen(ask, url)]

            result: list[str] = await CLIENTS[client](tell)
            return result

    async def real() -> list[str]:
        argv = [sys.executable, "-c", DIES, reads]
        server = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        assert server.stdout is not None
        result = await told(int(await server.stdout.readline()), TcpPort)
        assert await server.wait() == -signal.SIGKILL
        return result

    async def simulated(ports: Callable[[], Port]) -> list[str]:
        loop, process = asyncio.get_running_loop(), Process("server")

        class Dies(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                self.raw = b""
                if reads == "part":
                    # asyncio reads all that is there; what a slower program leaves is unread.
                    transport.pause_reading()
                    loop.call_later(0.1, process.die)

            def data_received(self, data: bytes) -> None:
                self.raw += data
                if self.raw.endswith(b"}"):
                    process.die()

        async def serve() -> None:
            await loop.create_server(Dies, "127.0.0.1", 8001)

        assert isinstance(loop, SimLoop)
        await loop.spawn(process, serve())
        return await told(8001, ports)

    assert in_simulation(simulated) == asyncio.run(real())


def test_the_same_plan_makes_the_same_history_in_any_process() -> None:
    program = (
        "from scenarios.suites import SCENARIOS\n"
        "from scenarios.worlds.sim.play import Plan, play\n"
        "for name in ('down-during', 'half-open', 'manager-down'):\n"
        "    for seed, schedule in enumerate(('fifo', 'random', 'pct')):\n"
        "        plan = Plan(SCENARIOS[name], seed, 'socket', schedule)\n"
        "        print(play(plan).history.digest())\n"
    )

    def digests(hash_seed: str) -> str:
        environ = {
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        done = subprocess.run(
            [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
        )
        return done.stdout

    first = digests("1")
    assert len(set(first.split())) == 9
    assert digests("2") == first


@pytest.mark.parametrize("adapter", ["httpx", "aiohttp"])
@pytest.mark.parametrize("schedule", ["fifo", "random", "pct"])
def test_the_reference_holds_over_either_library(
    adapter: str, schedule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_wires, "AIOHTTP_FROM", 0.0 if adapter == "aiohttp" else 1.0)
    for name in ("down-during", "answer-lost-once", "second-instance"):
        scenario = SCENARIOS[name]
        history = play(Plan(scenario, 3, "socket", schedule)).history
        assert isinstance(combine(judge(history, scenario.checkers).values()), Valid), name


def test_every_scenario_holds() -> None:
    for scenario in SCENARIOS.values():
        verdicts = judge(play(Plan(scenario, 5, "socket", "pct")).history, scenario.checkers)
        assert isinstance(combine(verdicts.values()), Valid), (scenario.name, verdicts)


def invalid(scenario: str, client: str, server: str) -> set[str]:
    """The checkers that some of three seeds fail."""
    who, whom = client_target(client), server_target(server)
    failed = set()
    for seed in range(3):
        plan = Plan(SCENARIOS[scenario], seed, "socket", client=who, server=whom)
        verdicts = judge(play(plan).history, checkers_for(plan.scenario, who))
        failed |= {name for name, verdict in verdicts.items() if isinstance(verdict, Invalid)}
    return failed


def test_a_naive_function_is_found_out() -> None:
    naive = f"{ZOO / 'naive_client.py'}:register_trade"
    assert "failure_is_honest" in invalid("answer-lost-once", naive, "simulated")
    assert "unprotected_time_is_bounded" in invalid("down-during", naive, "simulated")


def test_a_server_that_answers_before_it_writes_is_found_out() -> None:
    early = f"{ZOO / 'early_ack_server.py'}:make_app"
    assert "acknowledged_is_kept" in invalid("kill-after-ack", "reference", early)


COUNTS = """
import datetime
from datetime import datetime as dt

calls = 0

async def register(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    global calls
    calls += 1
    raise RuntimeError(f"call {calls} at {dt.now():%Y-%m-%d} {datetime.datetime.now():%Y}")

async def leave(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    raise SystemExit(7)

async def blocks(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    import time
    time.sleep(1)

def plain(ticket, trade_data, retry_count=3, timeout=5.0, api_url=""):
    return True
"""


def test_a_module_starts_anew_in_each_episode_and_sees_virtual_dates(tmp_path: Path) -> None:
    path = tmp_path / "counts.py"
    path.write_text(COUNTS)
    client = client_target(f"{path}:register")

    def told() -> list[str | None]:
        plan = Plan(SCENARIOS["request-lost"], 0, "socket", client=client)
        ends = play(plan).history.ops
        return [op.error for op in ends if op.f == "register" and op.type == "info"]

    first = told()
    assert first[0] == "raised RuntimeError: call 1 at 2030-01-07 2030"
    assert told() == first
    assert "counts" not in sys.modules
    assert str(tmp_path) not in sys.path


def test_a_function_that_exits_takes_its_process_with_it(tmp_path: Path) -> None:
    path = tmp_path / "counts.py"
    path.write_text(COUNTS)
    client = client_target(f"{path}:leave")
    ops = play(Plan(SCENARIOS["request-lost"], 0, "socket", client=client)).history.ops
    exits = [op.get("exit_status") for op in ops if op.f == "exited"]
    assert exits
    assert set(exits) == {7}


def test_a_function_that_blocks_is_the_environments_failure(tmp_path: Path) -> None:
    path = tmp_path / "counts.py"
    path.write_text(COUNTS)
    client = client_target(f"{path}:blocks")
    with pytest.raises(EnvironmentFailed, match=r"bot asked for a blocking sleep"):
        play(Plan(SCENARIOS["request-lost"], 0, "socket", client=client))


def test_a_plain_function_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "counts.py"
    path.write_text(COUNTS)
    client, server = client_target(f"{path}:plain"), server_target("simulated")
    assert "plain functions run in local" in why_not_simulated(client, server)
    with pytest.raises(EnvironmentFailed, match="plain functions run in local"):
        play(Plan(SCENARIOS["request-lost"], 0, "socket", client=client))


@pytest.mark.parametrize(
    ("client", "server", "word"),
    [
        ("cmd:./client", "simulated", "programs"),
        ("reference", "cmd:./server {port}", "programs"),
        ("reference", "http://127.0.0.1:1", "real time"),
        ("reference", "simulated", ""),
    ],
)
def test_what_cannot_be_simulated_is_said(client: str, server: str, word: str) -> None:
    why = why_not_simulated(client_target(client), server_target(server))
    assert word in why
    assert bool(why) == bool(word)


def test_a_foreign_target_needs_sockets() -> None:
    client = client_target(f"{ZOO / 'naive_client.py'}:register_trade")
    with pytest.raises(EnvironmentFailed, match="fidelity socket"):
        play(Plan(SCENARIOS["request-lost"], 0, "message", client=client))


def test_an_armed_point_kills_at_socket_fidelity_too() -> None:
    trail = play(Plan(SCENARIOS["kill-after-ack"], 0, "socket"), trail=True).trail
    points = {(reached.actor, reached.point) for reached in trail}
    for point in ("receive", "answer", "answered"):
        assert ("dtms", point) in points
    for point in ("send", "sent", "received"):
        assert any(actor == "bot" and p == point for actor, p in points), points


def test_a_crash_is_tied_to_an_exchange_at_socket_fidelity_too() -> None:
    crash = CrashAt("dtms", "answer", nth=3)
    plan = Plan(SCENARIOS["kill-after-ack"], 1, "socket", faults=(at(0.0, crash),))
    history = play(plan).history
    kills = [op for op in history.ops if op.f == "exited" and op.get("exit_status") == -9]
    assert [op.get("actor") for op in kills] == ["dtms"]
    verdict = combine(judge(history, plan.scenario.checkers).values())
    assert isinstance(verdict, Valid)


PLAIN_ENDPOINTS = """
import json, sqlite3
from pathlib import Path
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

def make_app(data_dir):
    database = sqlite3.connect(Path(data_dir) / "starts.db", isolation_level=None)
    database.execute("CREATE TABLE IF NOT EXISTS starts (n)")
    database.execute("INSERT INTO starts VALUES (1)")

    def health(request):
        (starts,) = database.execute("SELECT count(*) FROM starts").fetchone()
        return JSONResponse({"ready": True, "starts": starts})

    return Starlette(routes=[Route("/dtms/health", health)])
"""


def test_a_servers_files_outlive_its_process_and_not_the_episode(tmp_path: Path) -> None:
    path = tmp_path / "server.py"
    path.write_text(PLAIN_ENDPOINTS)
    server = server_target(f"{path}:make_app")

    def starts() -> list[object]:
        ops = play(Plan(SCENARIOS["down-during"], 0, "socket", server=server)).history.ops
        bodies = [op.get("body") for op in ops if op.f == "health" and op.type == "ok"]
        return list(dict.fromkeys(body["starts"] for body in bodies if isinstance(body, dict)))

    assert starts() == [1, 2]
    assert starts() == [1, 2]


def test_a_module_that_cannot_be_loaded_is_the_environments_failure(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("def make_app(data_dir):\n    raise ValueError('no such store')\n")
    server = server_target(f"{path}:make_app")
    with pytest.raises(EnvironmentFailed, match="ValueError: no such store"):
        play(Plan(SCENARIOS["request-lost"], 0, "socket", server=server))
