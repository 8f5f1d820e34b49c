"""An ASGI application behind uvicorn's own HTTP protocol, inside a simulated process.

Left out of uvicorn: signals, the date header, its log, and the loop that ticks to look for signals.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from simulator.deterministic.process import current_process
from simulator.serving import SHUTDOWN_S_MAX

QUIET = logging.Logger("uvicorn in a simulation", logging.CRITICAL + 1)
"""Whatever a server has to say stands in the history."""
logging.getLogger("uvicorn.error").addFilter(lambda _record: current_process() is None)


class QuietProtocol(HttpToolsProtocol):
    """Says nothing to the lab's own log."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.logger = QUIET


class Ordered(dict[Any, None]):
    """The part of a set that uvicorn uses, in the order of insertion: what it does to each of its
    connections it does in the same order in every run."""

    def add(self, item: Any) -> None:
        self[item] = None

    def discard(self, item: Any) -> None:
        self.pop(item, None)


class HttpServer:
    """Serves `app` on a port of the simulated network. Make and use it inside its process.

    `graceful_s` bounds how long a stop waits for exchanges that are open; None waits for ever, as
    uvicorn does where it is not told.
    """

    def __init__(
        self,
        app: Any,
        port: int,
        *,
        lifespan: Literal["auto", "on", "off"] = "off",
        graceful_s: int | None = SHUTDOWN_S_MAX,
    ) -> None:
        config = uvicorn.Config(
            app,
            port=port,
            http=QuietProtocol,
            ws="none",
            lifespan=lifespan,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=graceful_s,
        )
        config.load()
        self._server = uvicorn.Server(config)
        state = self._server.server_state
        state.connections, state.tasks = Ordered(), Ordered()  # type: ignore[assignment]
        self._server.lifespan = config.lifespan_class(config)
        self._server.lifespan.logger = QUIET

    async def start(self) -> None:
        """Starts the application, then listens. Raises `SystemExit` where the application fails or
        the port is busy, as uvicorn does."""
        await self._server.startup()

    @property
    def port(self) -> int:
        """Where it listens, once it is started."""
        number: int = self._server.servers[0].sockets[0].getsockname()[1]
        return number

    async def stop(self) -> None:
        """Stops listening, finishes what is open, and ends the application."""
        await self._server.shutdown()
