"""One client's connection and the one to the server that belongs to it.

They are a pair from accept to close, so that whatever happens to one is what the other sees: no
request is ever sent twice, put on another connection or answered by anybody unless a verdict says
so. What cannot be read as HTTP is carried as bytes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from chaos.answer import DELIVER, Delivery, HttpAnswer
from chaos.conditions import Conditions
from chaos.proxy.flight import Flight, Stage
from chaos.proxy.http import RequestReader, WholeRequest
from chaos.proxy.limits import (
    CONNECT_S_MAX,
    HANG_S_MAX,
    LINGER_S_MAX,
    PIPELINED_MAX,
    REFUSAL_GRACE_S,
    TICK_S,
)
from chaos.proxy.pipe import Deliver, Pipe
from chaos.proxy.side import Side
from chaos.proxy.tap import Answer, Outcome, Tap
from chaos.verdict import Forward, Lose, Reply, Silence, Swallow


class Owner(Protocol):
    """What a connection needs of the link it is on."""

    tap: Tap
    host: str
    upstream_port: int
    mirror_upstream: bool
    conditions: Conditions

    def take_in(self, request: WholeRequest) -> Flight:
        """Numbers and names the request, tells the tap, and decides about it."""
        ...

    def send_copies(self, flight: Flight, verdict: Forward) -> None:
        """Delivers the extra copies that the verdict asks for."""
        ...

    def chance(self, key: str) -> float:
        """A draw."""
        ...

    def forget(self, connection: Connection) -> None:
        """Nothing is left of the connection."""
        ...


class Connection:
    """Lives from the client's connect until both sockets are closed."""

    def __init__(self, link: Owner, number: int) -> None:
        self._link = link
        self._number = number
        self._loop = asyncio.get_running_loop()
        self.client = Side(self)
        self._server: Side | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._reader = RequestReader()
        self._waiting: deque[WholeRequest] = deque()
        self._flight: Flight | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._chunks = 0
        self._endured = link.conditions.names
        self._tunnel = False
        self._deaf = False
        self._orphan = False
        self._client_gone = False
        self._server_gone = False
        self._doomed = False
        self._unreachable = ""
        self._up = self._pipe(
            "up", self._from_client, self._no_more_from_client, lambda: self.client
        )
        self._down = self._pipe(
            "down", self.client.write, self._no_more_from_server, lambda: self._server
        )

    # What the link says.

    def weather(self, now: Conditions, before: Conditions) -> None:
        """The link's conditions have changed."""
        self._endured = tuple(dict.fromkeys((*self._endured, *now.names)))
        if self._flight is not None:
            self._flight.blame(now.names)
        if now.cut and not before.cut:
            self.reset("a closed port")
            return
        if now.half_open and not before.half_open:
            self._lose_the_server()
        if now.reset_after_s is None:
            self._stop("reset")
        elif before.reset_after_s is None:
            self._after("reset", now.reset_after_s, lambda: self.reset("a reset"))
        self._up.reshape(now.up)
        self._down.reshape(now.down)

    def reset(self, why: str) -> None:
        """Both sockets end with a TCP reset."""
        self._end(None, why)
        self._close_pipes()
        self._doomed = True
        self.client.reset()
        if self._server is not None:
            self._server.reset()

    # What the sockets say.

    def made(self, side: Side) -> None:
        if side is self.client:
            self._begin_connection()

    def data(self, side: Side, data: bytes) -> None:
        if side is not self.client:
            self._from_server(data)
        elif not self._deaf:
            self._up.feed(data)
        elif self._orphan:
            self._into_the_void(data)

    def _into_the_void(self, data: bytes) -> None:
        """The far end has gone: what is sent vanishes, or is answered with a reset once the
        machine over there is back."""
        if not self._link.conditions.half_open:
            self.client.reset()
            return
        request = self._reader.feed(data)
        if request is not None:
            self._flight = self._link.take_in(request)
            self._end(None, "the far end has gone")
        elif self._reader.opaque:
            self._reader.take_raw()

    def ended(self, side: Side) -> None:
        if side is self.client:
            self._client_goes()
        else:
            self._server_goes("the server closed the connection")

    def lost(self, side: Side, error: Exception | None) -> None:
        if side is self.client:
            self._client_goes()
            if self._flight is None and self._server is not None:
                self._server.close()
        else:
            self._server_goes("the server reset the connection", reset=error is not None)
        self._part_if_over()

    def crowded(self, side: Side, full: bool) -> None:
        source = self._server if side is self.client else self.client
        if source is not None:
            (source.hold if full else source.free)("the peer is slow")

    # Reaching the server.

    def _begin_connection(self) -> None:
        conditions = self._link.conditions
        if self._doomed or (conditions.refused and conditions.cut):
            self.client.reset()
            return
        self._up.reshape(conditions.up)
        self._down.reshape(conditions.down)
        if conditions.reset_after_s is not None:
            self._after("reset", conditions.reset_after_s, lambda: self.reset("a reset"))
        if conditions.half_open:
            self._deaf = self._orphan = True
            return
        self.client.hold("connecting")
        self._connecting = asyncio.ensure_future(self._connect())
        self._connecting.add_done_callback(lambda _task: self._part_if_over())

    async def _connect(self) -> None:
        side = Side(self)
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                host, port = self._link.host, self._link.upstream_port
                await self._loop.create_connection(lambda: side, host, port)
        except (OSError, TimeoutError) as error:
            self._unreachable = f"the server cannot be reached: {error or 'no answer in time'}"
            self._after("refusal", REFUSAL_GRACE_S, self._refuse)
        else:
            if self.client.closed or self._deaf:
                side.close()
            self._server = side
        self.client.free("connecting")

    def _refuse(self) -> None:
        """As near to a refused connection as one can come that has been accepted already."""
        self._end(None, self._unreachable)
        if self._link.mirror_upstream:
            self.client.reset()
        else:
            self.client.close()

    # Requests.

    def _from_client(self, data: bytes) -> None:
        if self._tunnel and self._server is not None:
            self._server.write(data)
            return
        request = self._reader.feed(data)
        if request is not None:
            self._waiting.append(request)
            if len(self._waiting) > PIPELINED_MAX:
                self.client.hold("too many requests at once")
        if self._flight is None:
            self._next()
        elif self._reader.opaque:
            self.client.hold("what follows cannot be read")

    def _next(self) -> None:
        """Takes up what is to be done once the exchange before is over."""
        if self._deaf or self.client.closed:
            return
        if self._waiting:
            request = self._waiting.popleft()
            self.client.free("too many requests at once")
            self._take_up(self._link.take_in(request))
        elif self._reader.opaque:
            self._tunnel = True
            self.client.free("what follows cannot be read")
            if self._unreachable:
                self._refuse()
            elif self._server is not None:
                self._server.write(self._reader.take_raw())
        elif self._server_gone:
            self.client.close()
        elif self._client_gone:
            self._close("the client has gone")

    def _take_up(self, flight: Flight) -> None:
        self._flight = flight
        flight.blame(self._endured)
        self._endured = ()
        if self._unreachable:
            self._refuse()
            return
        match flight.verdict:
            case Swallow(how):
                self._fall_silent(how, "the request was lost")
            case Reply(status, headers, body, over_s):
                answer = HttpAnswer(status, headers, body)
                self._deliver(Delivery(answer.head(), body, answer, over_s))
            case Forward(delay_s=delay_s) if delay_s > 0:
                self._after("hold", delay_s, self._forward)
            case _:
                self._forward()

    def _forward(self) -> None:
        flight = self._flight
        assert flight is not None
        if self._server is None or self._server_gone:
            self.reset("the server had closed the connection")
            return
        verdict = flight.verdict
        assert isinstance(verdict, Forward)
        flight.stage = Stage.ASKED
        flight.reached = True
        flight.streams = verdict.answer == DELIVER and not verdict.answer_delay_s
        self._server.write(flight.request.raw)
        if verdict.copies > 1:
            self._link.send_copies(flight, verdict)
        if self._client_gone:
            self._wait_without_client()

    # Answers.

    def _from_server(self, data: bytes) -> None:
        flight = self._flight
        if self._deaf:
            return
        if flight is None or flight.stage is not Stage.ASKED:
            self._down.feed(data)
            return
        flight.reader.feed(data)
        if not flight.streams:
            flight.raw.append(data)
            if flight.reader.opaque or flight.reader.oversized:
                data = self._pass_on_unread(flight)
        if flight.reader.done:
            self._answered(flight, data)
        elif flight.streams:
            self._down.feed(data)

    def _answered(self, flight: Flight, data: bytes) -> None:
        """The server's answer is whole; `data` is the end of it."""
        answer = flight.reader.answer
        flight.stage = Stage.ANSWERING
        flight.server = Answer.of(answer)
        self._link.tap.on_answer(flight.exchange, flight.server)
        if self._client_gone:
            self._close("the client had gone")
            return
        verdict = flight.verdict
        assert isinstance(verdict, Forward)
        if flight.streams:
            flight.client = flight.server
            self._down.feed(data, self._hand_over)
        elif verdict.answer_delay_s > 0:
            self._after("hold", verdict.answer_delay_s, lambda: self._return(verdict, answer))
        else:
            self._return(verdict, answer)

    def _return(self, verdict: Forward, answer: HttpAnswer) -> None:
        flight = self._flight
        assert flight is not None
        if isinstance(verdict.answer, Lose):
            self._fall_silent(verdict.answer.how, "the answer was lost")
        elif verdict.answer == DELIVER:
            flight.client = flight.server
            self._down.feed(b"".join(flight.raw), self._hand_over)
        else:
            self._deliver(verdict.answer.deliver(answer))

    def _pass_on_unread(self, flight: Flight) -> bytes:
        """What cannot be kept and read as an answer cannot be changed: what is to be passed on of
        it. A lost answer stays lost."""
        raw = b"".join(flight.raw)
        flight.raw.clear()
        if isinstance(flight.verdict, Forward) and isinstance(flight.verdict.answer, Lose):
            return b""
        flight.streams = True
        return raw

    def _deliver(self, delivery: Delivery) -> None:
        flight = self._flight
        assert flight is not None
        flight.stage = Stage.ANSWERING
        last = self._break_off
        if delivery.answer is not None:
            flight.client = Answer.of(delivery.answer)
            last = self._hand_over
        if delivery.over_s > 0 and delivery.body:
            self._down.feed(delivery.head)
            self._drip(delivery, 0, self._loop.time(), last)
        else:
            self._down.feed(delivery.head + delivery.body, last)

    def _drip(self, delivery: Delivery, sent: int, began_s: float, last: Deliver) -> None:
        body, over_s = delivery.body, delivery.over_s
        step = max(1, int(len(body) * TICK_S / over_s))
        if sent + step >= len(body):
            self._after(
                "drip",
                began_s + over_s - self._loop.time(),
                lambda: self._down.feed(body[sent:], last),
            )
            return

        def drop() -> None:
            self._down.feed(body[sent : sent + step])
            self._drip(delivery, sent + step, began_s, last)

        due_s = began_s + over_s * (sent + step) / len(body)
        self._after("drip", due_s - self._loop.time(), drop)

    def _hand_over(self, data: bytes) -> None:
        """The last piece of a whole answer."""
        if self._client_gone:
            self._close("the client had gone")
            return
        flight = self._flight
        self._end(flight.client if flight is not None else None, "")
        self.client.write(data)
        self._next()

    def _break_off(self, data: bytes) -> None:
        """The last piece of an answer that is not whole."""
        self.client.write(data)
        self._close("the answer was cut off")

    # Endings.

    def _client_goes(self) -> None:
        if self._client_gone:
            return
        self._client_gone = True
        if self._connecting is not None:
            self._connecting.cancel()
        answering = self._flight is not None and self._flight.stage is Stage.ANSWERING
        if self._deaf or answering:
            self._close("the client gave up")
        else:
            self._up.feed_eof()

    def _no_more_from_client(self) -> None:
        flight = self._flight
        if flight is None and not self._tunnel:
            self._close("the client has gone")
        elif flight is None or flight.stage is Stage.ASKED:
            self._wait_without_client()

    def _wait_without_client(self) -> None:
        """The server hears that the client sends no more; what it says is still of interest."""
        if self._server is not None:
            self._server.write_eof()
        self._after("linger", LINGER_S_MAX, lambda: self.reset("no answer, and no client"))

    def _server_goes(self, why: str, *, reset: bool = False) -> None:
        if self._server_gone or self._deaf:
            return
        self._server_gone = True
        flight = self._flight
        if flight is not None and flight.stage is Stage.ASKED:
            flight.reader.feed_eof()
            if flight.reader.done and not reset:
                self._answered(flight, b"")
                return
            if not flight.streams:
                self._down.feed(self._pass_on_unread(flight))
            self._end(None, why)
        if reset and (flight is None or flight.stage is not Stage.ANSWERING):
            self.reset(why)
        elif self._flight is None:
            self._down.feed_eof()

    def _no_more_from_server(self) -> None:
        self._close("the server has gone")

    def _fall_silent(self, how: Silence, why: str) -> None:
        self._end(None, why)
        match how:
            case "reset":
                self.reset(why)
            case "close":
                self._close(why)
            case "hang":
                self._go_deaf()
                self._after("hang", HANG_S_MAX, self.client.reset)

    def _lose_the_server(self) -> None:
        """The far end is gone; the client is not told."""
        self._end(None, "the far end has gone")
        self._orphan = True
        self._go_deaf()

    def _go_deaf(self) -> None:
        self._deaf = True
        self._close_pipes()
        if self._server is not None:
            self._server.close()
        if self._client_gone:
            self.client.close()

    def _close(self, why: str) -> None:
        """Both sockets end in good order."""
        self._end(None, why)
        self._close_pipes()
        self.client.close()
        if self._server is not None:
            self._server.close()

    def _end(self, client: Answer | None, why: str) -> None:
        """The exchange under way, if there is one, is over."""
        flight, self._flight = self._flight, None
        if flight is None:
            return
        for name in ("hold", "drip", "linger"):
            self._stop(name)
        flight.blame(self._link.conditions.names)
        fault = "+".join(flight.faults) or None
        outcome = Outcome(flight.reached, flight.server, client, fault, why)
        self._link.tap.on_end(flight.exchange, outcome)

    # Pipes and timers.

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
            spent=lambda: self._close("the connection had carried all it may"),
            crowded=crowded,
            chance=lambda: self._chance(direction),
        )

    def _chance(self, direction: str) -> float:
        """The jitter of a chunk: of an answer by its request, otherwise by connection and order."""
        self._chunks += 1
        flight = self._flight
        if flight is not None and direction == "down":
            return self._link.chance(f"jitter {direction} {flight.exchange.request.key}")
        return self._link.chance(f"jitter {direction} {self._number} {self._chunks}")

    def _close_pipes(self) -> None:
        self._up.close()
        self._down.close()

    def _after(self, name: str, delay_s: float, do: Callable[[], None]) -> None:
        self._stop(name)
        self._timers[name] = self._loop.call_later(max(0.0, delay_s), do)

    def _stop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _part_if_over(self) -> None:
        """Leaves the link once nothing is open and nothing is under way."""
        connecting = self._connecting is not None and not self._connecting.done()
        if not self.client.closed or connecting:
            return
        if self._server is None or self._server.closed:
            for name in tuple(self._timers):
                self._stop(name)
            self._link.forget(self)
