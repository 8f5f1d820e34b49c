"""A network of byte streams, at the level at which asyncio meets sockets.

Streams are TCP's: bytes arrive in order and whole, or the connection ends; nothing is lost from
the middle. What can go wrong is what goes wrong with TCP: nobody listens, a peer dies, resets,
falls silent, or is slow to read. Bytes on their way belong to the network and arrive whatever
becomes of the process that sent them.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from simulator.deterministic.process import NEUTRAL, Process, current_process
from simulator.deterministic.real import refuse
from simulator.deterministic.sockets import SimSocket

LATENCY_S = 0.0001
"""One way, on a quiet network."""
JITTER_S = 0.001
"""How much later a piece may arrive where the choices say so."""
WINDOW_BYTES = 256 * 1024
"""What a connection carries that has not been read by its receiver."""
HIGH_WATER_BYTES = 64 * 1024
"""What a sender holds back before it is asked to pause."""
PIECE_BYTES_MAX = 64 * 1024
"""Of what has to wait, so much travels at once."""
EPHEMERAL_FIRST = 40_000
READ_BYTES_MAX = 256 * 1024
"""What one read hands to a protocol."""

Jitter = Callable[[str], float]
"""A number in [0, 1) for a named decision; 0 is benign."""


class Clockwork(Protocol):
    """What the network needs of the event loop."""

    def time(self) -> float: ...

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Any: ...

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Any: ...

    def create_future(self) -> asyncio.Future[Any]: ...


def no_jitter(_key: str) -> float:
    """Everything takes its time and no more."""
    return 0.0


class Network:
    """All sockets of one run. Every address is this host's; only ports tell them apart."""

    def __init__(self, loop: Clockwork, jitter: Jitter = no_jitter) -> None:
        self.loop = loop
        self._jitter = jitter
        self._listeners: dict[int, SimServer] = {}
        self._next_port = EPHEMERAL_FIRST
        self._connections: dict[str, int] = {}

    # What the event loop hands on.

    async def listen(
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        host: object = None,
        port: int | None = None,
        *,
        sock: SimSocket | None = None,
        ssl: object = None,
        **_options: object,
    ) -> SimServer:
        """A server on the port, 0 for any. Raises `OSError` where somebody listens there."""
        _refuse_tls(ssl)
        wanted = sock.port if sock is not None else int(port or 0)
        server = SimServer(self, protocol_factory, wanted or self.free_port())
        if server.port in self._listeners:
            text = f"error while attempting to bind on address ('{host}', {server.port})"
            raise OSError(errno.EADDRINUSE, f"{text}: address already in use")
        if sock is not None:
            sock.port = server.port
        self._listeners[server.port] = server
        return server

    async def connect(
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        host: object = None,
        port: int | None = None,
        *,
        sock: SimSocket | None = None,
        ssl: object = None,
        **_options: object,
    ) -> tuple[SimTransport, asyncio.Protocol]:
        """Raises `ConnectionRefusedError` where nobody listens, and `socket.gaierror` for the name
        of another host."""
        _refuse_tls(ssl)
        if sock is not None and sock.end is not None:
            end = sock.end
            assert isinstance(end, End)
        else:
            self.resolve(host, port)
            end = await self._dial(int(port or 0))
        protocol = protocol_factory()
        end.attach(protocol)
        return end.transport, protocol

    async def connect_socket(self, sock: SimSocket, address: tuple[str, int]) -> None:
        """Connects a socket that somebody made; what is to read it is attached later."""
        sock.end = end = await self._dial(int(address[1]), sock)
        sock.dropped = end.killed

    def resolve(self, host: object, port: object, **_options: object) -> list[Any]:
        """Names of this host; there is no other. Raises `socket.gaierror`."""
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name not in {"127.0.0.1", "localhost", "::1", "None", "0.0.0.0"}:
            raise socket.gaierror(socket.EAI_NONAME, f"{name}: a simulation knows this host only")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", int(str(port or 0)))),
        ]

    # What else may be asked of it.

    def free_port(self) -> int:
        """A port on which nobody listens, and that was not handed out before."""
        self._next_port += 1
        while self._next_port in self._listeners:
            self._next_port += 1
        return self._next_port

    def is_listening(self, port: int) -> bool:
        return port in self._listeners

    def forget(self, server: SimServer) -> None:
        """Nobody listens on the port any more."""
        if self._listeners.get(server.port) is server:
            del self._listeners[server.port]

    def takes_s(self, key: str) -> float:
        """How long one piece is on its way."""
        return LATENCY_S + JITTER_S * self._jitter(key)

    async def _dial(self, port: int, sock: SimSocket | None = None) -> End:
        loop = self.loop
        caller = current_process()
        name = f"{'lab' if caller is None else caller.name}->{port}"
        number = self._connections[name] = self._connections.get(name, 0) + 1
        name = f"{name} #{number}"
        answered = loop.create_future()
        context = contextvars.copy_context()

        def knock() -> None:
            if caller is not None and not caller.alive:
                return
            server = self._listeners.get(port)
            due = loop.time() + self.takes_s(f"{name} answer")
            if server is None:
                loop.call_at(due, _settle, answered, None, context=NEUTRAL.copy())
                return
            near = End(self, f"{name} up", context, caller, sock or SimSocket())
            near.sock.name_ends(self.free_port(), port)
            far = End(self, f"{name} down", server.context, server.process, SimSocket())
            far.sock.name_ends(port, near.sock.port)
            near.peer, far.peer = far, near
            server.accept(far)
            loop.call_at(due, _settle, answered, near, context=NEUTRAL.copy())

        loop.call_at(loop.time() + self.takes_s(f"{name} call"), knock, context=NEUTRAL.copy())
        end: End | None = await answered
        if end is None:
            text = f"Connect call failed ('127.0.0.1', {port})"
            raise ConnectionRefusedError(errno.ECONNREFUSED, text)
        return end


class SimServer(asyncio.AbstractServer):
    """A listening port. The host's kernel takes connections in, also while the process is paused;
    when it dies they end."""

    def __init__(
        self, network: Network, protocol_factory: Callable[[], asyncio.Protocol], port: int
    ) -> None:
        self.port = port
        self.process = current_process()
        self.context = contextvars.copy_context()
        self._network = network
        self._factory = protocol_factory
        self._sock = SimSocket()
        self._sock.name_ends(port, 0)
        self._serving = True
        self._spare = _nothing if self.process is None else self.process.at_death(self.close)

    @property
    def sockets(self) -> tuple[SimSocket, ...]:
        return (self._sock,) if self._serving else ()

    def accept(self, end: End) -> None:
        """A connection has come in; the process will see it when it runs."""
        self._network.loop.call_soon(self._take, end, context=self.context.copy())

    def _take(self, end: End) -> None:
        if not self._serving:
            # The kernel resets what a listener has not taken in when it goes.
            end.sock.lingers_not = True
            end.killed()
            return
        try:
            end.attach(self._factory())
        except Exception:
            end.killed()
            raise

    def close(self) -> None:
        if self._serving:
            self._serving = False
            self._spare()
            self._network.forget(self)

    def is_serving(self) -> bool:
        return self._serving

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    async def start_serving(self) -> None:
        """It does, from the beginning."""

    async def serve_forever(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def wait_closed(self) -> None:
        """Nothing is left to wait for."""

    def close_clients(self) -> None:
        """Connections are their protocols' to close."""

    def abort_clients(self) -> None:
        """Connections are their protocols' to close."""


class End:
    """One end of a connection, as the host's kernel keeps it."""

    def __init__(
        self,
        network: Network,
        name: str,
        context: contextvars.Context,
        process: Process | None,
        sock: SimSocket,
    ) -> None:
        self.network = network
        self.name = name
        self.context = context
        self.sock = sock
        self.peer: End | None = None
        self.transport = SimTransport(self)
        self.protocol: Any = None
        self.closed = False
        """This side is gone: whatever still comes is answered with a reset."""
        self.closing = False
        """This side goes as soon as all that waits is on its way."""
        self.broken: Exception | None = None
        """A reset has come; the protocol learns of it when it reads that far, or writes."""
        self.reading = True
        self.inbox: deque[bytes | Exception | None] = deque()
        """What has arrived and was not read: bytes, None for the end, an error for a reset."""
        self.unread = 0
        self.ended = False
        """The peer's end of the stream, or a reset, has been read."""
        self.outbox: deque[bytes] = deque()
        """What the peer's window has no room for."""
        self.held = 0
        self.finishing = False
        self._finished = False
        self._end_came = False
        self._on_way: deque[bytes | Exception | None] = deque()
        self._on_way_bytes = 0
        self._free_at = 0.0
        self._sent = 0
        self._reads = False
        self._crowded = False
        self._spare = process.at_death(self.killed) if process is not None else _nothing
        sock.readable = self._is_readable

    def attach(self, protocol: Any) -> None:
        """From now on `protocol` reads; it is told that the connection was made."""
        self.protocol = protocol
        self.sock.dropped = _nothing
        protocol.connection_made(self.transport)
        self.read_on()

    # Sending.

    def send(self, data: bytes) -> None:
        if self.broken is not None:
            self.lose(self.broken)
            return
        if not self.outbox and self._carried() + len(data) <= WINDOW_BYTES:
            self._launch(data)
            return
        pieces = range(0, len(data), PIECE_BYTES_MAX)
        self.outbox.extend(data[start : start + PIECE_BYTES_MAX] for start in pieces)
        self.held += len(data)
        self._flush()
        if self.held > HIGH_WATER_BYTES and not self._crowded:
            self._crowded = True
            self.protocol.pause_writing()

    def finish(self) -> None:
        """Nothing more will be sent, behind what is waiting."""
        self.finishing = True
        if not self.outbox and not self._finished:
            self._finished = True
            self._launch(None)

    def reset_peer(self) -> None:
        """The peer's connection ends with a reset."""
        self._finished = True
        self._drop_outbox()
        self._launch(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))

    def _carried(self) -> int:
        peer = self.peer
        return self._on_way_bytes + (0 if peer is None else peer.unread)

    def _launch(self, piece: bytes | Exception | None) -> None:
        loop = self.network.loop
        self._sent += 1
        due = loop.time() + self.network.takes_s(f"{self.name} {self._sent}")
        self._free_at = due = max(due, self._free_at)
        self._on_way.append(piece)
        if isinstance(piece, bytes):
            self._on_way_bytes += len(piece)
        loop.call_at(due, self._arrive, context=NEUTRAL.copy())

    def _arrive(self) -> None:
        """The next piece on its way, in the order of sending, reaches the peer."""
        piece = self._on_way.popleft()
        peer = self.peer
        assert peer is not None
        if isinstance(piece, bytes):
            self._on_way_bytes -= len(piece)
        if peer.closed:
            if isinstance(piece, bytes) and not self.closed:
                peer.reset_peer()
            return
        peer.receive(piece)

    def _drop_outbox(self) -> None:
        self.outbox.clear()
        self.held = 0

    def _flush(self) -> None:
        if self.broken is not None:
            return
        while self.outbox and self._carried() + len(self.outbox[0]) <= WINDOW_BYTES:
            data = self.outbox.popleft()
            self.held -= len(data)
            self._launch(data)
        if self._crowded and self.held <= HIGH_WATER_BYTES // 4:
            self._crowded = False
            if not self.closed:
                self.network.loop.call_soon(self._uncrowd, context=self.context.copy())
        if self.outbox:
            return
        if self.closing and not self.closed:
            self.let_go(None)
        elif self.finishing:
            self.finish()

    def _uncrowd(self) -> None:
        self.protocol.resume_writing()

    # Receiving.

    def receive(self, piece: bytes | Exception | None) -> None:
        """What the host's kernel does with what comes in."""
        if isinstance(piece, bytes):
            self.unread += len(piece)
        elif piece is None:
            self._end_came = True
        else:
            # Linux: who has seen the end of the stream is told that the pipe is broken.
            broken = BrokenPipeError(errno.EPIPE, "Broken pipe") if self._end_came else piece
            self.broken = broken
            if self.outbox and not (self.reading and not self.ended):
                self.lose(broken)
                return
        self.inbox.append(piece)
        self.read_on()

    def read_on(self) -> None:
        """Lets the process read what is there, when it next runs."""
        if self.ended or not self.reading or self.protocol is None:
            return
        if self.inbox and not self._reads:
            self._reads = True
            self.network.loop.call_soon(self._read, context=self.context.copy())

    def _read(self) -> None:
        self._reads = False
        if self.closed or not self.reading or not self.inbox:
            return
        try:
            self._read_piece()
        except Exception as error:
            self._drop_outbox()
            self.let_go(error)
            raise
        self.read_on()

    def _read_piece(self) -> None:
        piece = self.inbox.popleft()
        if isinstance(piece, bytes):
            while self.inbox and isinstance(self.inbox[0], bytes) and len(piece) < READ_BYTES_MAX:
                piece += self.inbox.popleft()  # type: ignore[operator]
            self.unread -= len(piece)
            if self.peer is not None:
                self.peer._flush()
            self.protocol.data_received(piece)
        elif piece is None:
            self.ended = True
            if not self.protocol.eof_received():
                self.transport.close()
        else:
            self.ended = True
            self.lose(self.broken)

    def _is_readable(self) -> bool:
        return bool(self.inbox) or self.ended

    # Endings.

    def close(self) -> None:
        """This side goes, behind what is waiting to be sent."""
        self.closing = True
        self.reading = False
        if not self.outbox:
            self.let_go(None)

    def let_go(self, error: Exception | None) -> None:
        """This side goes now; peer and protocol are told."""
        if not self.closed:
            self._hang_up()
            self.lose(error)

    def _hang_up(self) -> None:
        """What the kernel does with a socket that nobody holds any more: an end in good order, or
        a reset where bytes came that were never read."""
        self._drop_outbox()
        if self.broken is not None:
            return
        if self.unread or self.sock.lingers_not:
            self.reset_peer()
        else:
            self.finish()

    def lose(self, error: Exception | None) -> None:
        """This side is over; the protocol is told."""
        if self.closed:
            return
        self.closed = True
        self.sock.closed = True
        self._drop_outbox()
        self._spare()
        self.network.loop.call_soon(self._tell_lost, error, context=self.context.copy())

    def _tell_lost(self, error: Exception | None) -> None:
        self.protocol.connection_lost(error)

    def killed(self) -> None:
        """Nobody is left to be told. What is on its way arrives; what waited in the process is
        gone with it."""
        if self.closed:
            return
        self.closed = True
        self.sock.closed = True
        self._spare()
        self._hang_up()


class SimTransport(asyncio.Transport):
    """What protocols hold of an end."""

    def __init__(self, end: End) -> None:
        super().__init__()
        self._end = end

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        sock = self._end.sock
        match name:
            case "socket":
                return sock
            case "peername":
                return sock.getpeername()
            case "sockname":
                return sock.getsockname()
            case _:
                return default

    def is_closing(self) -> bool:
        return self._end.closing or self._end.closed

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._end.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._end.protocol
        return protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        end = self._end
        if end.closed or not data:
            return
        if end.finishing:
            raise RuntimeError("Cannot call write() after write_eof()")
        end.send(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self.is_closing():
            self._end.finish()

    def close(self) -> None:
        if not self.is_closing():
            self._end.close()

    def abort(self) -> None:
        self._end.let_go(None)

    def pause_reading(self) -> None:
        self._end.reading = False

    def resume_reading(self) -> None:
        if not self.is_closing():
            self._end.reading = True
            self._end.read_on()

    def is_reading(self) -> bool:
        return self._end.reading and not self.is_closing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The limits are the network's."""

    def get_write_buffer_size(self) -> int:
        return self._end.held


def _settle(answered: asyncio.Future[Any], end: End | None) -> None:
    if not answered.done():
        answered.set_result(end)
    elif end is not None:
        end.killed()


def _nothing() -> None:
    """There is no process that could die."""


def _refuse_tls(ssl: object) -> None:
    if ssl:
        refuse("TLS; use http://")
