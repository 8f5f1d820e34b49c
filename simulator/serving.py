"""Serving an ASGI application on a socket that is bound before anything else is touched."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from simulator.log import Log

BACKLOG = 2048
SHUTDOWN_S_MAX = 8


class PortBusy(OSError):
    """Somebody listens there already."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `PortBusy`, or `OSError` where the host is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortBusy(f"{host}:{port} cannot be listened on: {error.strerror}") from error
    return listener


class Server(uvicorn.Server):
    """Ends when told to; `on_stop` is called at the first signal, before connections close."""

    def __init__(self, app: object, on_stop: Callable[[], None] = lambda: None) -> None:
        super().__init__(
            uvicorn.Config(
                app,  # type: ignore[arg-type]
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=SHUTDOWN_S_MAX,
                lifespan="on",
                ws="none",
            )
        )
        self._on_stop = on_stop

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ends at SIGTERM or SIGINT, with an exit status of its own, not the signal's."""
        signals = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self._stop) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._on_stop()
        self.handle_exit(number, frame)

    def serve_on(self, listener: socket.socket, log: Log) -> None:
        """Serves until a signal comes, or `should_exit` is set."""
        host, port = listener.getsockname()[:2]
        log.info("listening", host=host, port=port)
        self.run([listener])
        listener.close()
