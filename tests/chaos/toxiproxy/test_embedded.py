"""The embedded server as a program and as a part of one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import chaos
from chaos.toxiproxy.client import ProxyState, ToxiproxyClient
from chaos.toxiproxy.embedded import EmbeddedToxiproxy
from chaos.toxiproxy.errors import ServerUnreachable
from chaos.toxiproxy.named_toxic import NamedToxic
from tests.chaos.toxiproxy.seen import Backend, converse, laid

ROOT = Path(chaos.__file__).parents[1]


def program(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "chaos.toxiproxy", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_as_a_program_it_serves_until_it_is_told_to_end(number: signal.Signals) -> None:
    running = program("--port", "0")
    assert running.stdout is not None
    port = int(running.stdout.readline().rpartition(":")[2])
    client = ToxiproxyClient("127.0.0.1", port)
    client.create(ProxyState("p", "127.0.0.1:0", "127.0.0.1:9"))
    assert list(client.proxies()) == ["p"]
    os.kill(running.pid, number)
    _told, errors = running.communicate(timeout=20)
    assert (running.returncode, errors) == (0, "")


async def test_a_port_that_is_taken_is_told_in_words(backend: Backend) -> None:
    running = program("--port", str(backend.port))
    _told, errors = await asyncio.to_thread(running.communicate, timeout=20)
    assert running.returncode == 5
    assert errors.startswith(f"The API cannot listen on port {backend.port}: ")
    assert "Traceback" not in errors


def test_a_port_that_there_is_not_is_refused() -> None:
    running = program("--port", "65536")
    _told, errors = running.communicate(timeout=20)
    assert running.returncode == 2
    assert "--port 65536: must be 0 to 65535" in errors


async def test_it_leaves_signals_to_the_program_that_it_is_in() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with EmbeddedToxiproxy():
        during = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert during == before


async def test_its_ports_are_free_afterwards(backend: Backend) -> None:
    async with EmbeddedToxiproxy() as server:
        state = await laid(server.control, backend)
        assert (await converse(state, size=200)).data == backend.answer
        api = server.port
    for port in (api, int(state.listen.rpartition(":")[2])):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_the_same_seed_hits_the_same_connections(backend: Backend) -> None:
    hit: list[list[bool]] = []
    for seed in (5, 5, 6):
        async with EmbeddedToxiproxy(seed=seed) as server:
            state = await laid(server.control, backend)
            half = NamedToxic.of("half", "timeout", "downstream", 0.5, {"timeout": 1})
            await server.control.add_toxic("p", half)
            hit.append([(await converse(state, size=200)).data == b"" for _ in range(24)])
    assert hit[0] == hit[1] != hit[2]


async def test_it_cannot_be_started_anew() -> None:
    async with EmbeddedToxiproxy() as server:
        with pytest.raises(ServerUnreachable, match="the embedded Toxiproxy: it said nothing"):
            await server.control.restore("it said nothing")
