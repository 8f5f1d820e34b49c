"""One client's connection and the one to the server that belongs to it.

They are a pair from accept to close, so that whatever happens to one is what the other sees: no
request is ever sent twice, put on another connection or answered by anybody unless a verdict says
so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from chaos.conditions import Conditions
from chaos.proxy.conversation import Conversation, Exchanges
from chaos.proxy.flight import Stage
from chaos.proxy.limits import CONNECT_S_MAX, LINGER_S_MAX, REFUSAL_GRACE_S
from chaos.proxy.pipe import Deliver, Pipe
from chaos.proxy.side import Side
from chaos.proxy.timers import Timers


class Owner(Exchanges, Protocol):
    """What a connection needs of the link it is on."""

    host: str
    upstream_port: int
    mirror_upstream: bool

    def chance(self, key: str) -> float:
        """A draw."""
        ...

    def conditions_of(self, connection: int) -> Conditions:
        """What the connection with this number suffers."""
        ...

    def forget(self, connection: Connection) -> None:
        """Nothing is left of the connection."""
        ...


class Connection:
    """Lives from the client's connect until both sockets are closed.

    `deaf`: the client is not told that nobody is there. `unreachable` says why the server is.
    """

    def __init__(self, link: Owner, number: int) -> None:
        self.client = Side(self)
        self.server: Side | None = None
        self.timers = Timers()
        self.client_gone = False
        self.server_gone = False
        self.deaf = False
        self.unreachable = ""
        self.conditions = link.conditions_of(number)
        self._link = link
        self._number = number
        self._talk = Conversation(link, self)
        self._connecting: asyncio.Task[None] | None = None
        self._chunks = 0
        self._orphan = False
        self._doomed = False
        self._up = self._pipe(
            "up", self._talk.from_client, self._no_more_from_client, lambda: self.client
        )
        self.down = self._pipe(
            "down", self.client.write, self._no_more_from_server, lambda: self.server
        )

    # What the link says.

    def weather(self) -> None:
        """The link's conditions have changed."""
        before, self.conditions = self.conditions, self._link.conditions_of(self._number)
        now = self.conditions
        self._talk.blame(now.names)
        if now.cut and not before.cut:
            self.reset("the port was closed")
            return
        if now.half_open and not before.half_open:
            self._lose_the_server()
        if now.reset_after_s is None:
            self.timers.stop("reset")
        elif before.reset_after_s is None:
            self._reset_after(now.reset_after_s)
        self._up.reshape(now.up)
        self.down.reshape(now.down)

    def reset(self, why: str) -> None:
        """Both sockets end with a TCP reset; one that is not open yet, as soon as it is."""
        self._talk.end(None, why)
        self._close_pipes()
        self._doomed = True
        self.client.reset()
        if self.server is not None:
            self.server.reset()

    def close(self, why: str) -> None:
        """Both sockets end in good order."""
        self._talk.end(None, why)
        self._close_pipes()
        self.client.close()
        if self.server is not None:
            self.server.close()

    # What the sockets say.

    def made(self, side: Side) -> None:
        if side is self.client:
            self._begin()

    def data(self, side: Side, data: bytes) -> None:
        if side is not self.client:
            self._talk.from_server(data)
        elif not self.deaf:
            self._up.feed(data)
        elif self._orphan and self.conditions.half_open:
            self._talk.vanish(data)
        elif self._orphan:
            self.client.reset()

    def ended(self, side: Side) -> None:
        if side is self.client:
            self._client_goes()
        else:
            self._server_goes("the server closed the connection")

    def lost(self, side: Side, error: Exception | None) -> None:
        if side is self.client:
            self._client_goes()
            if self._talk.flight is None and self.server is not None:
                self.server.close()
        else:
            self._server_goes("the server reset the connection", reset=error is not None)
        self._part_if_over()

    def crowded(self, side: Side, full: bool) -> None:
        source = self.server if side is self.client else self.client
        if source is not None:
            (source.hold if full else source.free)("the peer is slow")

    # Reaching the server.

    def _begin(self) -> None:
        conditions = self.conditions
        if self._doomed or (conditions.refused and conditions.cut):
            self.client.reset()
            return
        self._up.reshape(conditions.up)
        self.down.reshape(conditions.down)
        if conditions.reset_after_s is not None:
            self._reset_after(conditions.reset_after_s)
        if conditions.half_open:
            self.deaf = self._orphan = True
            return
        self.client.hold("connecting")
        self._connecting = asyncio.ensure_future(self._connect())
        self._connecting.add_done_callback(lambda _task: self._part_if_over())

    async def _connect(self) -> None:
        side = Side(self)
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                host, port = self._link.host, self._link.upstream_port
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: side, host, port)
        except (OSError, TimeoutError) as error:
            self.unreachable = f"the server cannot be reached: {error or 'no answer in time'}"
            self.timers.after("refusal", REFUSAL_GRACE_S, self.refuse)
        else:
            self.server = side
            if self.client.closed or self.deaf:
                side.close()
        self.client.free("connecting")

    def refuse(self) -> None:
        """As near to a refused connection as one can come that has been accepted already."""
        self._talk.end(None, self.unreachable)
        if self._link.mirror_upstream:
            self.client.reset()
        else:
            self.client.close()

    # Endings.

    def _client_goes(self) -> None:
        if self.client_gone:
            return
        self.client_gone = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self.deaf or self._talk.at(Stage.ANSWERING):
            self.close("the client gave up")
        else:
            self._up.feed_eof()

    def _no_more_from_client(self) -> None:
        if self._talk.tunnel or self._talk.at(Stage.ASKED):
            self.wait_without_client()
        elif self._talk.flight is None:
            self.close("the client has gone")

    def wait_without_client(self) -> None:
        """The server hears that the client sends no more; its answer is still waited for."""
        if self.server is not None:
            self.server.write_eof()
        self.timers.after("linger", LINGER_S_MAX, lambda: self.reset("no answer, and no client"))

    def _server_goes(self, why: str, *, reset: bool = False) -> None:
        if self.server_gone or self.deaf:
            return
        self.server_gone = True
        if self._talk.at(Stage.ASKED):
            self._talk.no_more_from_server(why, reset=reset)
        if reset and not self._talk.at(Stage.ANSWERING):
            self.reset(why)
        elif self._talk.flight is None:
            self.down.feed_eof()

    def _no_more_from_server(self) -> None:
        self.close("the server has gone")

    def _lose_the_server(self) -> None:
        """The far end is gone; the client is not told."""
        self._talk.end(None, "the far end has gone")
        self._orphan = True
        self.go_deaf()

    def go_deaf(self) -> None:
        """The server's socket ends, the client's stays open, and nothing comes any more."""
        self.deaf = True
        self._close_pipes()
        if self.server is not None:
            self.server.close()
        if self.client_gone:
            self.client.close()

    def _reset_after(self, delay_s: float) -> None:
        self.timers.after("reset", delay_s, lambda: self.reset("the connection was reset"))

    def _part_if_over(self) -> None:
        """Leaves the link once nothing is open and nothing is under way."""
        connecting = self._connecting is not None and not self._connecting.done()
        if not self.client.closed or connecting:
            return
        if self.server is None or self.server.closed:
            self.timers.stop()
            self._link.forget(self)

    # Pipes.

    def _pipe(
        self,
        direction: str,
        deliver: Deliver,
        ended: Callable[[], None],
        source: Callable[[], Side | None],
    ) -> Pipe:
        def crowded(full: bool) -> None:
            side = source()
            if side is not None:
                (side.hold if full else side.free)("the pipe is full")

        return Pipe(
            deliver=deliver,
            ended=ended,
            spent=self.close,
            torn=lambda: self.reset("the connection was reset"),
            crowded=crowded,
            chance=lambda: self._chance(direction),
        )

    def _chance(self, direction: str) -> float:
        """The jitter of a chunk: of an answer by its request, otherwise by connection and order."""
        self._chunks += 1
        flight = self._talk.flight
        if flight is not None and direction == "down":
            return self._link.chance(f"jitter {direction} {flight.exchange.request.key}")
        return self._link.chance(f"jitter {direction} {self._number} {self._chunks}")

    def _close_pipes(self) -> None:
        self._up.close()
        self.down.close()
