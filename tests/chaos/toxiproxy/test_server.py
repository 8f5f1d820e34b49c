"""The real server under its supervisor: dead or stuck, it is started anew and has what it had."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from chaos.toxiproxy.binary import find
from chaos.toxiproxy.client import ProxyState, ToxiproxyClient
from chaos.toxiproxy.errors import ServerRefused, ServerUnreachable
from chaos.toxiproxy.named_toxic import NamedToxic
from chaos.toxiproxy.server import ToxiproxyServer
from tests.chaos.toxiproxy.conftest import real_toxiproxy
from tests.chaos.toxiproxy.seen import Backend, converse, laid

LATENCY = NamedToxic.of("slow", "latency", "downstream", 1.0, {"latency": 300})


@pytest.fixture
async def server() -> AsyncIterator[ToxiproxyServer]:
    async with real_toxiproxy() as server:
        yield server


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not true():  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_dead_or_stuck_it_is_started_anew_and_has_what_it_had(
    server: ToxiproxyServer, backend: Backend, number: signal.Signals
) -> None:
    state = await laid(server.control, backend)
    other = await server.control.lay(ProxyState("q", "127.0.0.1:0", state.upstream, False))
    await server.control.add_toxic("p", LATENCY)
    before = server.pid
    os.kill(before, number)
    await until(lambda: len(server.incidents) == 1)
    await server.control.hold()
    assert server.pid != before
    there = await asyncio.to_thread(server.client.proxies)
    assert there["p"].listen == state.listen
    assert there["p"].toxics == (LATENCY,)
    assert (there["q"].listen, there["q"].enabled) == (other.listen, False)
    assert 0.3 <= (await converse(state, size=200)).first_s < 0.5
    assert len(server.incidents) == 1


async def test_what_is_asked_of_a_dead_one_is_done_all_the_same(
    server: ToxiproxyServer, backend: Backend
) -> None:
    state = await laid(server.control, backend)
    os.kill(server.pid, signal.SIGKILL)
    await server.control.add_toxic("p", LATENCY)
    assert 0.3 <= (await converse(state, size=200)).first_s < 0.5
    os.kill(server.pid, signal.SIGKILL)
    await server.control.remove_toxic("p", "slow")
    assert (await converse(state, size=200)).first_s < 0.2
    os.kill(server.pid, signal.SIGKILL)
    laid_then = await server.control.lay(ProxyState("q", "127.0.0.1:0", state.upstream))
    assert (await converse(laid_then, size=200)).data == backend.answer
    assert [incident.why for incident in server.incidents] == ["it ended with status -9"] * 3


async def test_what_it_refuses_is_not_wanted(server: ToxiproxyServer, backend: Backend) -> None:
    state = await laid(server.control, backend)
    await server.control.add_toxic("p", LATENCY)
    with pytest.raises(ServerRefused, match="toxic already exists"):
        await server.control.add_toxic("p", LATENCY)
    with pytest.raises(ServerRefused, match="proxy already exists"):
        await server.control.lay(state)
    assert server.control.wanted["p"].toxics == (LATENCY,)
    assert server.incidents == []


async def test_two_servers_do_not_know_each_other(
    server: ToxiproxyServer, backend: Backend
) -> None:
    async with real_toxiproxy() as second:
        await laid(server.control, backend)
        assert list(await asyncio.to_thread(server.client.proxies)) == ["p"]
        assert await asyncio.to_thread(second.client.proxies) == {}


async def test_a_proxy_has_another_server_behind_it(
    server: ToxiproxyServer, backend: Backend
) -> None:
    state = await laid(server.control, backend)
    second = Backend()
    second.answer = b"second"
    await second.start()
    await asyncio.to_thread(server.client.redirect, "p", f"127.0.0.1:{second.port}")
    assert (await converse(state, size=6)).data == b"second"
    await second.stop()


async def test_it_is_gone_afterwards(backend: Backend) -> None:
    async with real_toxiproxy() as server:
        pid = server.pid
    assert not _runs(pid)
    assert server.pid is None


def test_it_dies_with_whoever_started_it(tmp_path: Path) -> None:
    real_toxiproxy()
    program = textwrap.dedent(
        """
        import asyncio, sys
        from chaos.toxiproxy.binary import find
        from chaos.toxiproxy.server import ToxiproxyServer
        async def main():
            async with ToxiproxyServer(find()) as server:
                print(server.pid, flush=True)
                await asyncio.sleep(60)
        asyncio.run(main())
        """
    )
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    pid = int(running.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    running.kill()
    running.communicate()
    asyncio.run(until(lambda: not _runs(pid)))


def _runs(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def test_a_program_that_is_no_toxiproxy_is_told(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("#!/bin/sh\nexit 3\n")
    wrong.chmod(0o755)
    with pytest.raises(ServerUnreachable, match="it ended with status 3"):
        async with ToxiproxyServer(wrong):
            pass
    with pytest.raises(ServerUnreachable, match="cannot be started"):
        async with ToxiproxyServer(tmp_path / "missing"):
            pass


async def test_one_that_always_dies_is_given_up(server: ToxiproxyServer, backend: Backend) -> None:
    await laid(server.control, backend)

    async def wear_out() -> None:
        for _ in range(20):
            os.kill(server.pid, signal.SIGKILL)
            await server.control.hold()

    with pytest.raises(ServerUnreachable, match="started anew 10 times"):
        await wear_out()


async def test_a_server_that_says_nothing_is_unreachable_in_time() -> None:
    ended = asyncio.Event()

    async def say_nothing(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        await source.read()
        sink.close()
        ended.set()

    listening = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    client = ToxiproxyClient("127.0.0.1", port, timeout_s=0.2)
    with pytest.raises(ServerUnreachable, match="did not answer"):
        await asyncio.to_thread(client.version)
    await ended.wait()
    listening.close()


@pytest.mark.parametrize(
    ("status", "error", "sentence"),
    [(500, ServerRefused, r"it broke \(500\)"), (503, ServerUnreachable, "is stuck")],
)
async def test_a_5xx_is_no_answer_to_be_believed(
    status: int, error: type[Exception], sentence: str
) -> None:
    async def answer(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        await source.readuntil(b"\r\n\r\n")
        body = b'{"error": "it broke", "status": 500}'
        sink.write(b"HTTP/1.1 %d x\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body))
        sink.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    client = ToxiproxyClient("127.0.0.1", listening.sockets[0].getsockname()[1])
    with pytest.raises(error, match=sentence):
        await asyncio.to_thread(client.delete, "p")
    listening.close()


def test_it_is_found() -> None:
    real_toxiproxy()
    assert find() is not None
