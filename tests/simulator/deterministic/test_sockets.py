"""The same client and server over loopback and in the simulation: each side sees the same.

What is compared are bytes, ends and the types of exceptions, by side and in order.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

from simulator.deterministic.loop import SimLoop
from simulator.deterministic.network import Network
from simulator.deterministic.sockets import SimSocket

TICK_S = 0.05
"""Long enough for loopback to carry whatever is under way."""
MANY = bytes(range(256)) * 8 * 1024
"""Two megabytes: more than a connection holds."""

Seen = list[object]
Side = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Seen], Awaitable[None]]


async def note(seen: Seen, awaitable: Awaitable[object]) -> None:
    """Writes down what came of it: bytes, nothing, or an exception."""
    try:
        got = await awaitable
    except Exception as error:  # noqa: BLE001 - which one it is is the question
        got = type(error).__name__
    if isinstance(got, bytes) and len(got) > 100:
        got = (len(got), hash(got))
    seen.append(got)


async def lingers_not(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def meet(serve: Side, call: Side) -> dict[str, Seen]:
    """One connection, and what each side saw of it."""
    seen: dict[str, Seen] = {"server": [], "client": []}
    served = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer, seen["server"])
        finally:
            served.set_result(None)
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await call(reader, writer, seen["client"])
    await served
    writer.close()
    server.close()
    await asyncio.sleep(TICK_S)
    return seen


# Each pair is a server and a client.


class Echo:
    @staticmethod
    async def serve(reader, writer, seen) -> None:
        for _line in range(2):
            line = await reader.readline()
            seen.append(line)
            writer.write(line.upper())
            await writer.drain()
        await note(seen, reader.read())

    @staticmethod
    async def call(reader, writer, seen) -> None:
        for line in (b"one\n", b"two\n"):
            writer.write(line)
            await note(seen, reader.readline())
        writer.close()
        await note(seen, writer.wait_closed())


class ServerClosesEarly:
    @staticmethod
    async def serve(reader, writer, seen) -> None:
        writer.write(b"bye")
        writer.close()
        await note(seen, writer.wait_closed())

    @staticmethod
    async def call(reader, writer, seen) -> None:
        await note(seen, reader.read())
        for _write in range(3):
            writer.write(b"more")
            await asyncio.sleep(TICK_S)
            await note(seen, writer.drain())
        await note(seen, reader.read())


class ClientReadsWhileItIsReset:
    @staticmethod
    async def serve(reader, writer, seen) -> None:
        await reader.readexactly(1)
        await lingers_not(writer)
        writer.transport.abort()
        await note(seen, reader.read())

    @staticmethod
    async def call(reader, writer, seen) -> None:
        writer.write(b"x")
        await note(seen, reader.read())
        writer.write(b"more")
        await note(seen, writer.drain())


class CloseWithLingerZero:
    @staticmethod
    async def serve(reader, writer, seen) -> None:
        await reader.readexactly(1)
        await lingers_not(writer)
        writer.close()

    @staticmethod
    async def call(reader, writer, seen) -> None:
        writer.write(b"x")
        await note(seen, reader.read())


class BytesBeforeTheReset:
    @staticmethod
    async def serve(reader, writer, seen) -> None:
        writer.write(b"last words")
        await asyncio.sleep(TICK_S)
        await lingers_not(writer)
        writer.transport.abort()

    @staticmethod
    async def call(reader, writer, seen) -> None:
        await note(seen, reader.readexactly(10))
        await note(seen, reader.read())


class AbortWithoutLinger:
    @staticmethod
    async def serve(reader, writer, seen) -> None:
        writer.write(b"some")
        writer.transport.abort()

    @staticmethod
    async def call(reader, writer, seen) -> None:
        await note(seen, reader.read())


class HalfClose:
    @staticmethod
    async def serve(reader, writer, seen) -> None:
        await note(seen, reader.read())
        writer.write(b"answer")
        await writer.drain()
        writer.close()

    @staticmethod
    async def call(reader, writer, seen) -> None:
        writer.write(b"question")
        writer.write_eof()
        await note(seen, reader.read())


class WritingAfterTheEnd:
    @staticmethod
    async def serve(reader, writer, seen) -> None:
        await note(seen, reader.read())

    @staticmethod
    async def call(reader, writer, seen) -> None:
        writer.write_eof()
        try:
            writer.write(b"more")
        except RuntimeError as error:
            seen.append(str(error))


class ClosedWithUnreadBytes:
    """What the kernel does for a process that is killed before it has read."""

    @staticmethod
    async def serve(reader, writer, seen) -> None:
        writer.transport.pause_reading()
        writer.write(b"go on")
        await asyncio.sleep(2 * TICK_S)
        writer.close()

    @staticmethod
    async def call(reader, writer, seen) -> None:
        await note(seen, reader.readexactly(5))
        writer.write(b"never read")
        await note(seen, reader.read())


class ClosedWithAnUnreadEnd:
    """An end that was not read is no byte that was not read: no reset."""

    @staticmethod
    async def serve(reader, writer, seen) -> None:
        writer.transport.pause_reading()
        await asyncio.sleep(TICK_S)
        writer.write(b"bye")
        writer.close()

    @staticmethod
    async def call(reader, writer, seen) -> None:
        writer.write_eof()
        await note(seen, reader.read())


class MuchMoreThanFits:
    @staticmethod
    async def serve(reader, writer, seen) -> None:
        await asyncio.sleep(TICK_S)
        await note(seen, reader.readexactly(len(MANY)))
        writer.write(MANY)
        await note(seen, writer.drain())

    @staticmethod
    async def call(reader, writer, seen) -> None:
        writer.write(MANY)
        await note(seen, writer.drain())
        await asyncio.sleep(TICK_S)
        await note(seen, reader.readexactly(len(MANY)))


class ClosedBehindMuchThatWaits:
    """Closing sends all that was written first; only then is the connection lost."""

    @staticmethod
    async def serve(reader, writer, seen) -> None:
        for _time in range(4):
            writer.write(MANY)
        writer.close()
        await asyncio.sleep(2 * TICK_S)
        seen.append(("waits", writer.transport.get_write_buffer_size() > 0))
        await note(seen, writer.wait_closed())
        seen.append(("waits", writer.transport.get_write_buffer_size() > 0))

    @staticmethod
    async def call(reader, writer, seen) -> None:
        writer.transport.pause_reading()
        await asyncio.sleep(4 * TICK_S)
        writer.transport.resume_reading()
        await note(seen, reader.read())


class PeerGoesWhileMuchWaits:
    @staticmethod
    async def serve(reader, writer, seen) -> None:
        for _time in range(4):
            writer.write(MANY)
        await note(seen, writer.drain())
        seen[:] = [name in {"ConnectionResetError", "BrokenPipeError"} for name in seen]
        seen.append(writer.transport.get_write_buffer_size())

    @staticmethod
    async def call(reader, writer, seen) -> None:
        await note(seen, reader.readexactly(10))
        writer.transport.abort()


class PausedReaderLearnsByWriting:
    """Who does not read is told of a reset when it next writes."""

    @staticmethod
    async def serve(reader, writer, seen) -> None:
        await reader.readexactly(1)
        await lingers_not(writer)
        writer.transport.abort()

    @staticmethod
    async def call(reader, writer, seen) -> None:
        writer.write(b"x")
        writer.transport.pause_reading()
        await asyncio.sleep(TICK_S)
        seen.append(writer.is_closing())
        writer.write(b"y")
        await asyncio.sleep(TICK_S)
        seen.append(writer.is_closing())
        await note(seen, writer.drain())


class WhoIsWhere:
    @staticmethod
    async def serve(reader, writer, seen) -> None:
        host, _port = writer.get_extra_info("peername")
        seen.append(host)
        seen.append(writer.get_extra_info("nothing", "default"))

    @staticmethod
    async def call(reader, writer, seen) -> None:
        await reader.read()
        seen.append(writer.get_extra_info("peername")[0])
        seen.append(writer.can_write_eof())


PAIRS = [
    Echo, ServerClosesEarly, ClientReadsWhileItIsReset, CloseWithLingerZero, BytesBeforeTheReset,
    AbortWithoutLinger, HalfClose, WritingAfterTheEnd, ClosedWithUnreadBytes,
    ClosedWithAnUnreadEnd, MuchMoreThanFits, ClosedBehindMuchThatWaits, PeerGoesWhileMuchWaits,
    PausedReaderLearnsByWriting, WhoIsWhere,
]  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.__name__)
def test_each_side_sees_what_it_would_see_over_loopback(net, pair) -> None:
    real = asyncio.run(meet(pair.serve, pair.call))
    assert net().run(meet(pair.serve, pair.call)) == real
    assert real["client"]


async def nobody_there() -> list[object]:
    seen: list[object] = []
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    for host in ("127.0.0.1", "no.such.host.invalid"):
        await note(seen, asyncio.open_connection(host, port))
    return seen


def test_nobody_is_there(net) -> None:
    assert net().run(nobody_there()) == asyncio.run(nobody_there())
    assert asyncio.run(nobody_there()) == ["ConnectionRefusedError", "gaierror"]


async def a_busy_port() -> list[object]:
    seen: list[object] = []
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", port)
    except OSError as error:
        seen.append(error.errno)
    server.close()
    await server.wait_closed()
    again = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", port)
    seen.append(again.is_serving())
    again.close()
    seen.append(again.is_serving())
    seen.append(again.sockets)
    return seen


def test_a_port_is_busy_until_its_server_closes(net) -> None:
    assert net().run(a_busy_port()) == asyncio.run(a_busy_port())


class Failing(asyncio.Protocol):
    """A protocol that cannot bear what it gets."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    def data_received(self, data: bytes) -> None:
        raise ValueError(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.seen.append(type(exc).__name__)


async def a_failing_protocol() -> list[object]:
    loop, seen = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _loop, told: seen.append(type(told["exception"]).__name__))
    server = await loop.create_server(lambda: Failing(seen), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"x")
    async with asyncio.timeout(5):
        await note(seen, reader.read())
    writer.close()
    server.close()
    await asyncio.sleep(TICK_S)
    if isinstance(loop, SimLoop):
        seen[:0] = [type(told["exception"]).__name__ for told in loop.unhandled]
        loop.unhandled.clear()
    return seen


def test_a_protocol_that_fails_loses_its_connection(net) -> None:
    real = asyncio.run(a_failing_protocol())
    assert real[0] == "ValueError"
    assert net().run(a_failing_protocol()) == real


# What libraries ask of a socket object.


def test_a_socket_says_whether_something_came() -> None:
    import select

    sock, readable = SimSocket(), []
    sock.readable = lambda: bool(readable)
    assert select.select([sock.fileno()], [], [], 0)[0] == []
    readable.append(True)
    assert select.select([sock.fileno()], [], [], 0)[0] == [sock.fileno()]
    sock.close()
    assert sock.fileno() == -1


def test_a_kept_connection_becomes_readable_when_its_peer_ends(net) -> None:
    async def main() -> list[bool]:
        async def serve(_reader, writer) -> None:
            await asyncio.sleep(1)
            writer.close()

        await asyncio.start_server(serve, "127.0.0.1", 80)
        _reader, writer = await asyncio.open_connection("127.0.0.1", 80)
        sock = writer.get_extra_info("socket")
        await asyncio.sleep(0.5)
        before = sock.readable()
        await asyncio.sleep(1)
        after = sock.readable()
        writer.close()
        return [before, after]

    assert net().run(main()) == [False, True]


@pytest.mark.parametrize("ask", ["connect", "send", "sendall", "recv"])
def test_a_socket_that_would_block_refuses(ask) -> None:
    with pytest.raises(RuntimeError, match=f"blocking socket .{ask}."):
        getattr(SimSocket(), ask)(b"")


def test_a_socket_made_by_hand_connects_and_serves(net) -> None:
    loop = net()

    async def main() -> bytes:
        async def serve(reader, writer) -> None:
            writer.write(await reader.readexactly(2))
            writer.close()

        listening = SimSocket()
        listening.bind(("127.0.0.1", 0))
        await asyncio.start_server(serve, sock=listening)
        port = listening.getsockname()[1]
        assert port > 0
        sock = SimSocket()
        await loop.sock_connect(sock, ("127.0.0.1", port))
        assert sock.getpeername() == ("127.0.0.1", port)
        reader, writer = await asyncio.open_connection(sock=sock)
        writer.write(b"hi")
        answer = await reader.readexactly(2)
        writer.close()
        return answer

    assert isinstance(loop.network, Network)
    assert loop.run(main()) == b"hi"


def test_a_socket_that_was_connected_and_then_dropped_ends_its_connection(net) -> None:
    loop, seen = net(), []

    async def main() -> None:
        async def serve(reader, writer) -> None:
            await note(seen, reader.read())
            writer.close()

        await asyncio.start_server(serve, "127.0.0.1", 80)
        sock = SimSocket()
        await loop.sock_connect(sock, ("127.0.0.1", 80))
        sock.close()
        await asyncio.sleep(1)

    loop.run(main())
    assert seen == [b""]
