"""The port of a link: where its clients connect, and where they are refused."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

from chaos.proxy.limits import BACKLOG

Accept = Callable[[], asyncio.Protocol]
"""Called in the running loop for each connection; what it returns is told of it."""


class Port(Protocol):
    """What a link needs of whatever carries connections to it.

    It is reserved first, listened on and closed in turns after that, and released at the end.
    """

    def reserve(self, host: str, number: int) -> int:
        """Takes the port, 0 for any; its number. Nobody else can take it, and connecting is
        refused as long as nothing listens. Raises `OSError` where it is taken."""
        ...

    async def listen(self, accept: Accept) -> None:
        """From now on connections are accepted."""
        ...

    def close(self) -> None:
        """From now on connecting is refused; connections that are open stay so. Nothing happens
        where nothing listens."""
        ...

    def release(self) -> None:
        """Others may take the port; calling it again does nothing."""
        ...


class TcpPort:
    """A port of the operating system.

    One socket holds it and never listens; the one that does shares the port with it, and comes
    and goes.
    """

    def __init__(self) -> None:
        self._reserved: socket.socket | None = None
        self._server: asyncio.Server | None = None

    def reserve(self, host: str, number: int) -> int:
        """See `Port`."""
        self._reserved = _bound(host, number)
        # With this left on, anybody could bind the port while nobody listens on it.
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        taken: int = self._reserved.getsockname()[1]
        return taken

    async def listen(self, accept: Accept) -> None:
        """See `Port`."""
        assert self._reserved is not None
        host, number = self._reserved.getsockname()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(accept, sock=_bound(host, number), backlog=BACKLOG)

    def close(self) -> None:
        """See `Port`."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def release(self) -> None:
        """See `Port`."""
        self.close()
        if self._reserved is not None:
            self._reserved.close()


def _bound(host: str, number: int) -> socket.socket:
    """A socket that shares its port with the link's others. Raises `OSError` where it is taken."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setblocking(False)
        sock.bind((host, number))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"port {number} of {host} is taken: {error.strerror}") from error
    return sock
