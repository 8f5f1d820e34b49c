"""What stands for a socket object in a simulation: a name for an end, and a few flags.

Libraries ask a socket for its addresses, set options on it, and poll its file number to see
whether a kept-alive connection is still good. Two real pipes answer such polls: one that is never
readable, and one that always is.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from functools import cache
from typing import NoReturn

from simulator.deterministic.real import refuse

LINGER = struct.Struct("ii")


@cache
def _pipes() -> tuple[int, int]:
    """File numbers: one to poll in vain, one that is always readable. Kept for the process."""
    quiet, _quiet_end = os.pipe()
    full, full_end = os.pipe()
    os.write(full_end, b"!")
    return quiet, full


def _nothing() -> None:
    """Its transport closes it."""


class SimSocket:
    """Stands in for `socket.socket` where simulated code makes or holds one."""

    def __init__(
        self,
        family: int = socket.AF_INET,
        type: int = socket.SOCK_STREAM,  # noqa: A002 - the name that socket.socket gives it
        proto: int = 0,
        fileno: int | None = None,  # noqa: ARG002 - there is no other to take over
    ) -> None:
        self.family = family
        self.type = type
        self.proto = proto
        self.end: object = None
        self.port = 0
        self.closed = False
        self.lingers_not = False
        self.readable: Callable[[], bool] = bool
        self.dropped: Callable[[], None] = _nothing
        """Called when it is closed by whoever made it, before a transport had it."""
        self._peer_port = 0

    def __enter__(self) -> SimSocket:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def name_ends(self, port: int, peer_port: int) -> None:
        """Which ports it is between."""
        self.port, self._peer_port = port, peer_port

    def fileno(self) -> int:
        """A number to poll: readable where something came that was not read, or the end did."""
        if self.closed:
            return -1
        quiet, full = _pipes()
        return full if self.readable() else quiet

    def setsockopt(self, level: int, option: int, value: object) -> None:
        if (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER) and isinstance(value, bytes):
            on, seconds = LINGER.unpack(value)
            self.lingers_not = bool(on) and seconds == 0

    def getsockopt(self, level: int, option: int) -> int:  # noqa: ARG002
        return 0

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def getpeername(self) -> tuple[str, int]:
        return "127.0.0.1", self._peer_port

    def setblocking(self, flag: bool) -> None:
        """Nothing in a simulation blocks."""

    def settimeout(self, value: float | None) -> None:
        """Nothing in a simulation blocks."""

    def gettimeout(self) -> float:
        return 0.0

    def bind(self, address: tuple[str, int]) -> None:
        self.port = address[1]

    def listen(self, backlog: int = 0) -> None:
        """Whoever serves on it listens."""

    def shutdown(self, how: int) -> None:
        """Its transport ends it."""

    def close(self) -> None:
        self.closed = True
        self.dropped()

    def detach(self) -> int:
        return -1

    def connect(self, _address: object) -> NoReturn:
        self._refuse("connect")

    def accept(self) -> NoReturn:
        self._refuse("accept")

    def send(self, _data: bytes) -> NoReturn:
        self._refuse("send")

    def sendall(self, _data: bytes) -> NoReturn:
        self._refuse("sendall")

    def recv(self, _size: int) -> NoReturn:
        self._refuse("recv")

    def _refuse(self, what: str) -> NoReturn:
        refuse(f"a blocking socket ({what})")
