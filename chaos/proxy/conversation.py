"""The requests and answers on one connection, and what verdicts do to them.

One exchange at a time: a request is taken up when the answer before it has been handed over. What
cannot be read as HTTP makes the rest of the connection a tunnel.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from chaos.answer import DELIVER, Delivery, HttpAnswer
from chaos.conditions import Conditions
from chaos.proxy.flight import Flight, Stage
from chaos.proxy.http import RequestReader, WholeRequest
from chaos.proxy.limits import HANG_S_MAX, PIPELINED_MAX, TICK_S
from chaos.proxy.pipe import Deliver, Pipe
from chaos.proxy.side import Side
from chaos.proxy.tap import Answer, Outcome, Tap
from chaos.proxy.timers import Timers
from chaos.verdict import Forward, Lose, Reply, Silence, Swallow


class Exchanges(Protocol):
    """What a conversation needs of the link it is on."""

    tap: Tap

    def take_in(self, request: WholeRequest) -> Flight:
        """Numbers and names the request, tells the tap, and decides about it."""
        ...

    def send_copies(self, flight: Flight, verdict: Forward) -> None:
        """Delivers the extra copies that the verdict asks for."""
        ...


class Line(Protocol):
    """What a conversation needs of the two sockets it is held over."""

    client: Side
    server: Side | None
    down: Pipe
    conditions: Conditions
    timers: Timers
    client_gone: bool
    server_gone: bool
    deaf: bool
    unreachable: str

    def refuse(self) -> None:
        """Ends as a client's connection does whose server cannot be reached."""
        ...

    def close(self, why: str) -> None:
        """Both sockets end in good order."""
        ...

    def reset(self, why: str) -> None:
        """Both sockets end with a TCP reset."""
        ...

    def go_deaf(self) -> None:
        """The server's socket ends, the client's stays open, and nothing comes any more."""
        ...

    def wait_without_client(self) -> None:
        """The server hears that the client sends no more; its answer is still waited for."""
        ...


class Conversation:
    """Knows which exchange is under way (`flight`), and ends each with an outcome."""

    def __init__(self, link: Exchanges, line: Line) -> None:
        self.flight: Flight | None = None
        self.tunnel = False
        self._link = link
        self._line = line
        self._reader = RequestReader()
        self._waiting: deque[WholeRequest] = deque()
        self._endured = line.conditions.names

    def at(self, stage: Stage) -> bool:
        """Whether an exchange is under way and has come so far."""
        return self.flight is not None and self.flight.stage is stage

    def blame(self, names: tuple[str, ...]) -> None:
        """These faults have a part in the exchange under way and in the next."""
        self._endured = tuple(dict.fromkeys((*self._endured, *names)))
        if self.flight is not None:
            self.flight.blame(names)

    def end(self, client: Answer | None, why: str) -> None:
        """The exchange under way, if there is one, is over."""
        flight, self.flight = self.flight, None
        if flight is None:
            return
        self._line.timers.stop("hold", "drip", "linger")
        flight.blame(self._line.conditions.names)
        fault = "+".join(flight.faults) or None
        outcome = Outcome(flight.reached, flight.server, client, fault, why)
        self._link.tap.on_end(flight.exchange, outcome)

    # Requests.

    def from_client(self, data: bytes) -> None:
        """Bytes of requests, in order."""
        if self.tunnel and self._line.server is not None:
            self._line.server.write(data)
            return
        request = self._reader.feed(data)
        if request is not None:
            self._waiting.append(request)
            if len(self._waiting) > PIPELINED_MAX:
                self._line.client.hold("too many requests at once")
        if self.flight is None:
            self._next()
        elif self._reader.opaque:
            self._line.client.hold("what follows cannot be read")

    def vanish(self, data: bytes) -> None:
        """Bytes of requests that reach nobody."""
        request = self._reader.feed(data)
        if request is not None:
            self.flight = self._link.take_in(request)
            self.end(None, "the far end has gone")
        elif self._reader.opaque:
            self._reader.take_raw()

    def _next(self) -> None:
        """Takes up what is to be done once the exchange before is over."""
        line = self._line
        if line.deaf or line.client.closed:
            return
        if self._waiting:
            request = self._waiting.popleft()
            line.client.free("too many requests at once")
            self._take_up(self._link.take_in(request))
        elif self._reader.opaque:
            self._dig_tunnel()
        elif line.server_gone:
            line.down.feed_eof()
        elif line.client_gone:
            line.close("the client has gone")

    def _dig_tunnel(self) -> None:
        self.tunnel = True
        self._line.client.free("what follows cannot be read")
        if self._line.server is None:
            self._line.refuse()
        else:
            self._line.server.write(self._reader.take_raw())

    def _take_up(self, flight: Flight) -> None:
        self.flight = flight
        flight.blame(self._endured)
        flight.blame(self._line.conditions.names)
        self._endured = ()
        if self._line.unreachable:
            self._line.refuse()
            return
        match flight.verdict:
            case Swallow(how):
                self._fall_silent(how, "the request was lost")
            case Reply(status, headers, body, over_s):
                answer = HttpAnswer(status, headers, body)
                self._deliver(flight, Delivery(answer.head(), body, answer, over_s))
            case Forward() as verdict if verdict.delay_s > 0:
                forward = lambda: self._forward(flight, verdict)  # noqa: E731
                self._line.timers.after("hold", verdict.delay_s, forward)
            case Forward() as verdict:
                self._forward(flight, verdict)

    def _forward(self, flight: Flight, verdict: Forward) -> None:
        line = self._line
        if line.server is None or line.server_gone:
            line.reset("the server had closed the connection")
            return
        flight.stage = Stage.ASKED
        flight.reached = True
        flight.streams = verdict.answer == DELIVER and not verdict.answer_delay_s
        line.server.write(flight.request.raw)
        if verdict.copies > 1:
            self._link.send_copies(flight, verdict)
        if line.client_gone:
            line.wait_without_client()

    # Answers.

    def from_server(self, data: bytes) -> None:
        """Bytes of answers, in order."""
        flight = self.flight
        if flight is None or flight.stage is not Stage.ASKED:
            self._line.down.feed(data)
            return
        flight.reader.feed(data)
        if not flight.streams:
            flight.raw.append(data)
            if flight.reader.opaque or flight.reader.oversized:
                data = self._unread(flight)
        if flight.reader.done:
            self._answered(flight, data)
        elif flight.streams:
            self._line.down.feed(data)

    def no_more_from_server(self, why: str, *, reset: bool) -> None:
        """The server's socket ended while its answer was awaited."""
        flight = self.flight
        assert flight is not None
        flight.reader.feed_eof()
        if flight.reader.done and not reset:
            self._answered(flight, b"")
            return
        if not flight.streams:
            self._line.down.feed(self._unread(flight))
        self.end(None, why)

    def _answered(self, flight: Flight, data: bytes) -> None:
        """The server's answer is whole; `data` is the end of it."""
        answer = flight.reader.answer
        flight.stage = Stage.ANSWERING
        flight.server = Answer.of(answer)
        self._link.tap.on_answer(flight.exchange, flight.server)
        verdict = flight.verdict
        assert isinstance(verdict, Forward)
        if self._line.client_gone:
            self._line.close("the client had gone")
        elif flight.streams:
            flight.client = flight.server
            self._line.down.feed(data, self._hand_over)
        elif verdict.answer_delay_s > 0:
            hand_back = lambda: self._hand_back(flight, verdict, answer)  # noqa: E731
            self._line.timers.after("hold", verdict.answer_delay_s, hand_back)
        else:
            self._hand_back(flight, verdict, answer)

    def _hand_back(self, flight: Flight, verdict: Forward, answer: HttpAnswer) -> None:
        if isinstance(verdict.answer, Lose):
            self._fall_silent(verdict.answer.how, "the answer was lost")
        elif verdict.answer == DELIVER:
            flight.client = flight.server
            self._line.down.feed(b"".join(flight.raw), self._hand_over)
        else:
            self._deliver(flight, verdict.answer.deliver(answer))

    def _unread(self, flight: Flight) -> bytes:
        """What cannot be kept and read as an answer cannot be changed: what is to be passed on of
        it. A lost answer stays lost."""
        raw = b"".join(flight.raw)
        flight.raw.clear()
        if isinstance(flight.verdict, Forward) and isinstance(flight.verdict.answer, Lose):
            return b""
        flight.streams = True
        return raw

    def _deliver(self, flight: Flight, delivery: Delivery) -> None:
        flight.stage = Stage.ANSWERING
        last = self._break_off
        if delivery.answer is not None:
            flight.client = Answer.of(delivery.answer)
            last = self._hand_over
        if delivery.over_s > 0 and delivery.body:
            self._line.down.feed(delivery.head)
            self._drip(delivery, 0, self._line.timers.now_s(), last)
        else:
            self._line.down.feed(delivery.head + delivery.body, last)

    def _drip(self, delivery: Delivery, sent: int, began_s: float, last: Deliver) -> None:
        """Sends the body from `sent` on, evenly, so that all of it takes `over_s`."""
        body, over_s, timers = delivery.body, delivery.over_s, self._line.timers
        upto = min(len(body), sent + max(1, int(len(body) * TICK_S / over_s)))

        def drop() -> None:
            if upto == len(body):
                self._line.down.feed(body[sent:], last)
            else:
                self._line.down.feed(body[sent:upto])
                self._drip(delivery, upto, began_s, last)

        timers.after("drip", began_s + over_s * upto / len(body) - timers.now_s(), drop)

    def _hand_over(self, data: bytes) -> None:
        """The last piece of a whole answer."""
        if self._line.client_gone:
            self._line.close("the client had gone")
            return
        self.end(self.flight.client if self.flight is not None else None, "")
        self._line.client.write(data)
        self._next()

    def _break_off(self, data: bytes) -> None:
        """The last piece of an answer that is not whole."""
        self._line.client.write(data)
        self._line.close("the answer was cut off")

    def _fall_silent(self, how: Silence, why: str) -> None:
        self.end(None, why)
        match how:
            case "reset":
                self._line.reset(why)
            case "close":
                self._line.close(why)
            case "hang":
                self._line.go_deaf()
                self._line.timers.after("hang", HANG_S_MAX, self._line.client.reset)
