"""One of the two sockets of a proxied connection."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Protocol, cast

LINGER_NONE = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends a reset instead of an orderly end."""


class Events(Protocol):
    """Who listens to a side."""

    def made(self, side: Side) -> None: ...

    def data(self, side: Side, data: bytes) -> None: ...

    def ended(self, side: Side) -> None:
        """The peer sends no more; it may still read."""
        ...

    def lost(self, side: Side, error: Exception | None) -> None:
        """The socket is closed, by whomever."""
        ...

    def crowded(self, side: Side, full: bool) -> None:
        """Whether more is waiting to be sent to the peer than it takes."""
        ...


class Side(asyncio.Protocol):
    """Sends and ends at once what it is told; holds up reading while there is a reason to."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._transport: asyncio.Transport | None = None
        self._reasons: dict[str, None] = {}
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not by isinstance: uvloop's transports are none of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        if self._reasons:
            self._transport.pause_reading()
        self._events.made(self)

    def data_received(self, data: bytes) -> None:
        self._events.data(self, data)

    def eof_received(self) -> bool:
        self._events.ended(self)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._events.lost(self, exc)

    def pause_writing(self) -> None:
        self._events.crowded(self, True)

    def resume_writing(self) -> None:
        self._events.crowded(self, False)

    def write(self, data: bytes) -> None:
        """Sends; nothing happens once the socket is closed."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def write_eof(self) -> None:
        """Says that nothing more will be sent."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        """Ends in good order, behind what was sent."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Ends with a TCP reset; what was not sent is not."""
        if self._transport is None or self.closed:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
        self._transport.abort()

    def hold(self, reason: str) -> None:
        """Stops reading; the peer is held up once the buffers in between are full."""
        if not self._reasons and self._transport is not None:
            self._transport.pause_reading()
        self._reasons[reason] = None

    def free(self, reason: str) -> None:
        """Takes the reason back; reads on when none is left."""
        if reason in self._reasons:
            del self._reasons[reason]
            if not self._reasons and self._transport is not None:
                self._transport.resume_reading()
