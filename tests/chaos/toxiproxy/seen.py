"""A server behind a proxy, and what a client in front of it sees."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from chaos.toxiproxy.client import ProxyState
from chaos.toxiproxy.control import Control


@dataclass
class Seen:
    """What a client saw of one conversation: it sent, and read until the end or for long enough."""

    data: bytes = b""
    first_s: float | None = None
    last_s: float | None = None
    ended_s: float | None = None
    how: str = "open"
    pieces: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        times = ", ".join(
            f"{name} {value:.3f}" if value is not None else f"no {name}"
            for name, value in (("first", self.first_s), ("end", self.ended_s))
        )
        return f"{len(self.data)} bytes in {len(self.pieces)} pieces, {times}, {self.how}"


class Backend:
    """Answers each line with `answer`; `close_after` answers it closes the connection."""

    def __init__(self) -> None:
        self.port = 0
        self.answer = b"x" * 200
        self.closes = False
        self.heard = b""
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for sink in tuple(self._open):
            sink.close()

    async def _serve(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(sink)
        try:
            while line := await source.readline():
                self.heard += line
                sink.write(self.answer)
                await sink.drain()
                if self.closes:
                    break
        except ConnectionError:
            pass
        finally:
            self._open.discard(sink)
            sink.close()


async def laid(control: Control, backend: Backend) -> ProxyState:
    upstream = f"127.0.0.1:{backend.port}"
    return await control.lay(ProxyState("p", "127.0.0.1:0", upstream))


async def converse(
    state: ProxyState, say: bytes = b"hello\n", *, for_s: float = 1.0, size: int | None = None
) -> Seen:
    """Sends `say` over a new connection, and reads until it ends, until `size` bytes came, or for
    so long."""
    host, _, port = state.listen.rpartition(":")
    source, sink = await asyncio.open_connection(host, int(port))
    try:
        return await talk(source, sink, say, for_s=for_s, size=size)
    finally:
        sink.transport.abort()


async def talk(
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter,
    say: bytes = b"hello\n",
    *,
    for_s: float = 1.0,
    size: int | None = None,
) -> Seen:
    """The same, over a connection that there is."""
    seen = Seen()
    began_s = time.monotonic()
    sink.write(say)
    try:
        async with asyncio.timeout(for_s):
            while size is None or len(seen.data) < size:
                piece = await source.read(65536)
                now_s = time.monotonic() - began_s
                if not piece:
                    seen.ended_s, seen.how = now_s, "closed"
                    break
                seen.first_s = now_s if seen.first_s is None else seen.first_s
                seen.last_s = now_s
                seen.data += piece
                seen.pieces.append(len(piece))
    except ConnectionResetError:
        seen.ended_s, seen.how = time.monotonic() - began_s, "reset"
    except TimeoutError:
        pass
    return seen
