"""The port of a link: a real one, and one that only remembers what it was asked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chaos.faults import Latency, Refuse
from chaos.proxy import Accept, FaultProxy, TcpPort

HOST = "127.0.0.1"


class Greeter(asyncio.Protocol):
    """Says one word and goes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


@pytest.fixture
async def port() -> AsyncIterator[TcpPort]:
    port = TcpPort()
    yield port
    port.release()


async def greeting(number: int) -> bytes:
    source, sink = await asyncio.open_connection(HOST, number)
    said = await source.read()
    sink.close()
    return said


async def test_a_port_that_is_only_reserved_refuses(port: TcpPort) -> None:
    number = port.reserve(HOST, 0)
    with pytest.raises(ConnectionRefusedError):
        await greeting(number)


async def test_a_port_that_is_listened_on_accepts(port: TcpPort) -> None:
    number = port.reserve(HOST, 0)
    await port.listen(Greeter)
    assert await greeting(number) == b"hello"


async def test_a_closed_port_refuses_and_can_be_listened_on_again(port: TcpPort) -> None:
    number = port.reserve(HOST, 0)
    await port.listen(Greeter)
    port.close()
    port.close()
    with pytest.raises(ConnectionRefusedError):
        await greeting(number)
    await port.listen(Greeter)
    assert await greeting(number) == b"hello"


async def test_a_reserved_port_is_taken_for_everybody_else(port: TcpPort) -> None:
    number = port.reserve(HOST, 0)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((HOST, number))


async def test_a_taken_port_is_refused_in_words(port: TcpPort) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        number = other.getsockname()[1]
        with pytest.raises(OSError, match=f"port {number} of {HOST} is taken"):
            port.reserve(HOST, number)


async def test_a_released_port_is_free(port: TcpPort) -> None:
    number = port.reserve(HOST, 0)
    await port.listen(Greeter)
    port.release()
    port.release()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((HOST, number))


class Remembering:
    """A port of nothing; `asked` is what it was asked for, in order."""

    def __init__(self, asked: list[str]) -> None:
        self.asked = asked
        self.accepts: list[Accept] = []

    def reserve(self, host: str, number: int) -> int:
        self.asked.append(f"reserve {host} {number}")
        return 4711

    async def listen(self, accept: Accept) -> None:
        await asyncio.sleep(0)
        self.asked.append("listen")
        self.accepts.append(accept)

    def close(self) -> None:
        self.asked.append("close")

    def release(self) -> None:
        self.asked.append("release")


async def test_a_link_listens_on_whatever_port_it_is_given() -> None:
    asked: list[str] = []
    async with FaultProxy(ports=lambda: Remembering(asked)) as proxy:
        assert await proxy.link("bot->dtms", "upstream", 80, listen_host="here") == 4711
        assert proxy.port("bot->dtms") == 4711
        undo = await Refuse("bot->dtms").inflict(proxy)
        await undo()
    assert asked == ["reserve here 0", "listen", "close", "listen", "close", "release"]


async def test_conditions_that_change_while_a_port_is_opened_do_not_open_it_twice(
    proxy: FaultProxy, bot: Any
) -> None:
    undo = await Refuse("bot->dtms").inflict(proxy)
    await asyncio.gather(undo(), Latency("bot->dtms", 1).inflict(proxy))
    await Refuse("bot->dtms").inflict(proxy)
    with pytest.raises(ConnectionRefusedError):
        await greeting(proxy.port("bot->dtms"))


async def test_a_port_that_is_refused_while_it_is_opened_stays_closed(proxy: FaultProxy) -> None:
    undo = await Refuse("bot->dtms").inflict(proxy)
    await asyncio.gather(undo(), Refuse("bot->dtms").inflict(proxy))
    with pytest.raises(ConnectionRefusedError):
        await greeting(proxy.port("bot->dtms"))
