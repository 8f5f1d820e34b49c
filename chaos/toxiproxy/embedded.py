"""The embedded Toxiproxy, served on a port of its own: for where no real one is installed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final

import uvicorn

from chaos.choice import Draw
from chaos.proxy.tap import Tap
from chaos.toxiproxy.api import toxiproxy_api
from chaos.toxiproxy.client import ToxiproxyClient
from chaos.toxiproxy.control import Control
from chaos.toxiproxy.errors import ServerUnreachable
from chaos.toxiproxy.proxies import Proxies

START_S_MAX: Final = 10.0
STOP_S_MAX: Final = 2


class EmbeddedToxiproxy:
    """Answers Toxiproxy's API on `host:port` and carries its proxies, both in the running loop,
    from `async with` on. A `port` of 0 becomes a free one. The parameters are those of `Proxies`.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 0,
        draw: Draw | None = None,
        tap: Tap | None = None,
        allow_remote: bool = False,
    ) -> None:
        self.host = host
        self.port = port
        self.proxies = Proxies(seed=seed, draw=draw, tap=tap, allow_remote=allow_remote)
        self._server = _Server(
            uvicorn.Config(
                toxiproxy_api(self.proxies),
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=STOP_S_MAX,
            )
        )
        self._serving: asyncio.Task[None] | None = None
        self.control = Control(self)

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://{self.host}:{self.port}"

    @property
    def client(self) -> ToxiproxyClient:
        """The API, for other threads than the loop's."""
        return ToxiproxyClient(self.host, self.port)

    async def revive(self, why: str) -> None:
        """It lives as long as its loop, and cannot be started anew. Raises `ServerUnreachable`."""
        raise ServerUnreachable(f"the embedded Toxiproxy: {why}")

    async def __aenter__(self) -> EmbeddedToxiproxy:
        """Raises `OSError` where the port is taken."""
        listener = socket.create_server((self.host, self.port))
        self.port = listener.getsockname()[1]
        self._serving = asyncio.ensure_future(self._server.serve([listener]))
        async with asyncio.timeout(START_S_MAX):
            await self._server.up.wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        await self.proxies.aclose()


class _Server(uvicorn.Server):
    """Leaves signals to the program that it is embedded in, and says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()
