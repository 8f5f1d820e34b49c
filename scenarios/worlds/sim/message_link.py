"""A link that carries whole requests and answers, with no bytes in between.

Rules and toxics are executed by the request: what a proxy does to a connection happens here to
each exchange. No exchange can fail in a way that a connection could not.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import msgspec

from chaos.answer import DELIVER, HttpAnswer
from chaos.choice import Draw
from chaos.conditions import CALM, FREE, Conditions, Flow
from chaos.proxy.tap import Answer, Exchange, Outcome, Tap
from chaos.regime import Kind, RuleInForce, count, decide
from chaos.request import RequestView, classify
from chaos.verdict import Forward, Lose, Reply, Silence, Swallow, Verdict
from simulator.deterministic.loop import Handle, SimLoop
from simulator.deterministic.process import NEUTRAL, Process, current_process

LATENCY_S = 0.0002
"""One way, on a quiet network."""
JITTER_S = 0.002
"""How much later a message may arrive where the choices say so."""


class LinkFailed(Exception):
    """No whole answer will come. `sent`: the request may have reached the server."""

    sent = True


class Refused(LinkFailed):
    """Nobody listens."""

    sent = False


class Reset(LinkFailed):
    """The connection ended with a reset."""


class CutOff(LinkFailed):
    """The connection ended in good order, before the answer or in the middle of it."""


class Request(msgspec.Struct, eq=False, gc=False):
    """What a client sends. `payload` is the decoded body; `body` its bytes, where there are any."""

    method: str
    path: str
    payload: object = None
    body: bytes | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """In lower case."""


def _nothing() -> None:
    """There is no burden yet."""


class Receiver(Protocol):
    """A running server, as links reach it."""

    process: Process

    def take(self, request: Request, reply: Callable[[Answer, HttpAnswer | None], None]) -> None:
        """Handles one request, in the server's process, and calls `reply` there at most once."""
        ...


class Flight(msgspec.Struct, eq=False):
    """One exchange under way. `answered` is what the client waits for."""

    request: Request
    exchange: Exchange
    key: str
    """What draws about it are keyed by."""
    verdict: Verdict
    faults: tuple[str, ...]
    answered: asyncio.Future[Answer]
    reached: bool = False
    over: bool = False
    """Its end has been told; what is still on its way changes nothing for the client."""
    dead: bool = False
    """Its connection was reset: nothing of it arrives any more."""
    gone: bool = False
    """The client waits no longer."""
    answering: bool = False
    """The answer is on its way; a client that gives up now closes the connection under it."""
    server: Answer | None = None
    raw: HttpAnswer | None = None
    unburden: Callable[[], object] = _nothing
    """The server's death is nothing to it any more."""
    leave: Callable[[], object] = _nothing
    """Nor is the client's."""


@dataclass(slots=True, eq=False)
class Parcel:
    """A message that is held up on its way, by whatever the conditions are meanwhile."""

    flight: Flight
    up: bool
    due_s: float
    """When it would arrive on a quiet network."""
    chance: float
    """Which part of the jitter it suffers."""
    arrive: Callable[[Flight], None]
    timer: Handle | None = None


class MessageLink:
    """One link, a `Carrier` of a `Regime`. `server` is asked at each arrival: it may be down."""

    def __init__(
        self,
        name: str,
        *,
        loop: SimLoop,
        server: Callable[[], Receiver | None],
        draw: Draw,
        tap: Tap,
        number: Callable[[RequestView], int],
    ) -> None:
        self.name = name
        self.rules: list[RuleInForce] = []
        self.conditions = CALM
        self._loop = loop
        self._server = server
        self._draw = draw
        self._tap = tap
        self._number = number
        self._attempts: dict[Kind, int] = {}
        self._flights: dict[Flight, None] = {}
        self._parcels: dict[Parcel, None] = {}
        self._resets = object()
        """Another one whenever when to reset is said anew."""
        self._carried = {True: 0, False: 0}

    # What the client does.

    def send(self, request: Request) -> Flight | None:
        """The exchange that this begins; None where connecting is refused."""
        conditions = self.conditions
        if conditions.refused:
            return None
        op, ticket = classify(request.method, request.path, request.payload)
        attempt = count(self._attempts, (op, ticket))
        view = RequestView(
            self.name, op, request.method, request.path, ticket, attempt, request.payload
        )
        exchange = Exchange(self._number(view), view)
        self._tap.on_request(exchange)
        verdict, faults = decide(self.rules, view, self._draw)
        flight = Flight(request, exchange, view.key, verdict, faults, self._loop.create_future())
        self._flights[flight] = None
        client = current_process()
        if client is not None:
            flight.leave = client.at_death(partial(self.give_up, flight))
        if conditions.half_open:
            self._end(flight, None, "the far end has gone")
        elif isinstance(verdict, Swallow):
            self._fall_silent(flight, verdict.how, "the request was lost")
        elif isinstance(verdict, Reply):
            self._travel(flight, True, partial(self._reply, verdict=verdict))
        else:
            self._forward(flight, verdict)
        if conditions.reset_after_s is not None:
            self._plan_reset(flight, conditions.reset_after_s)
        return flight

    def give_up(self, flight: Flight) -> None:
        """The client waits no longer, or has died; what is on its way to the server arrives all the
        same."""
        if flight.gone:
            return
        flight.gone = True
        flight.leave()
        if flight.answering and not flight.over:
            flight.dead = True
            self._end(flight, None, "the client gave up")

    # What the regime says.

    async def weather(self, conditions: Conditions) -> None:
        before, self.conditions = self.conditions, conditions
        flights = tuple(self._flights)
        if conditions.cut and not before.cut:
            for flight in flights:
                self.reset(flight)
        if conditions.half_open and not before.half_open:
            for flight in flights:
                flight.dead = True
                self._end(flight, None, "the far end has gone")
        if conditions.reset_after_s != before.reset_after_s:
            self._resets = object()
            if conditions.reset_after_s is not None:
                for flight in flights:
                    self._plan_reset(flight, conditions.reset_after_s)
        for up in (True, False):
            if (conditions.up if up else conditions.down).limit_bytes is None:
                self._carried[up] = 0
        for parcel in tuple(self._parcels):
            self._reckon(parcel)

    def _plan_reset(self, flight: Flight, after_s: float) -> None:
        resets = self._resets

        def reset() -> None:
            if self._resets is resets:
                self.reset(flight)

        self._after(after_s, reset)

    # On the way to the server.

    def _forward(self, flight: Flight, verdict: Forward) -> None:
        if verdict.delay_s > 0:
            self._after(verdict.delay_s, lambda: self._travel(flight, True, self._arrive))
        else:
            self._travel(flight, True, self._arrive)

    def _arrive(self, flight: Flight) -> None:
        if flight.dead:
            return
        server = self._server()
        if server is None:
            self._end(flight, None, "the server cannot be reached")
            self._fail(flight, Refused("nobody listens"))
            return
        flight.reached = True
        process = server.process
        flight.unburden = process.at_death(partial(self._server_died, flight))
        assert isinstance(flight.verdict, Forward)
        if flight.verdict.copies > 1:
            self._send_copies(flight, flight.verdict)
        reply = partial(self._answered, flight)
        self._loop.call_next(process, server.take, flight.request, reply)

    def _send_copies(self, flight: Flight, verdict: Forward) -> None:
        """Over connections of their own, from where the request has come to."""
        for copy in range(1, verdict.copies):
            late_s = self._takes_s(flight, f"copy {copy}") - LATENCY_S
            self._after(copy * verdict.copy_gap_s + late_s, lambda: self._deliver_copy(flight))

    def _deliver_copy(self, flight: Flight) -> None:
        server = self._server()
        if server is None:
            self._tap.on_copy(flight.exchange, None)
            return
        told = False

        def reply(answer: Answer | None, _raw: HttpAnswer | None = None) -> None:
            nonlocal told
            if not told:
                told = True
                revoke()
                self._tap.on_copy(flight.exchange, answer)

        revoke = server.process.at_death(lambda: reply(None))
        self._loop.call_next(server.process, server.take, flight.request, reply)

    def _server_died(self, flight: Flight) -> None:
        flight.dead = True
        self._end(flight, None, "the server reset the connection")
        self._after(self._takes_s(flight, "reset"), lambda: self._fail(flight, Reset("reset")))

    # On the way back.

    def _reply(self, flight: Flight, verdict: Reply) -> None:
        """Somebody answers in the server's place."""
        if flight.dead:
            return
        flight.answering = True
        answer = HttpAnswer(verdict.status, verdict.headers, verdict.body)
        self._after(verdict.over_s, lambda: self._bring(flight, answer))

    def _bring(self, flight: Flight, answer: HttpAnswer) -> None:
        self._travel(flight, False, lambda flight: self._back(flight, Answer.of(answer), answer))

    def _answered(self, flight: Flight, answer: Answer, raw: HttpAnswer | None) -> None:
        """The server has answered, in its own process."""
        flight.unburden()
        if flight.server is not None or flight.dead:
            return
        flight.server = answer
        flight.answering = True
        self._tap.on_answer(flight.exchange, answer)
        verdict = flight.verdict
        assert isinstance(verdict, Forward)
        if verdict.answer_delay_s > 0:
            hand_back = partial(self._hand_back, flight, verdict, answer, raw)
            self._after(verdict.answer_delay_s, hand_back)
        else:
            self._hand_back(flight, verdict, answer, raw)

    def _hand_back(
        self, flight: Flight, verdict: Forward, answer: Answer, raw: HttpAnswer | None
    ) -> None:
        if flight.dead or flight.over:
            return
        if isinstance(verdict.answer, Lose):
            self._fall_silent(flight, verdict.answer.how, "the answer was lost")
        elif verdict.answer is DELIVER or verdict.answer == DELIVER:
            flight.raw = raw
            self._travel(flight, False, self._back_from_server)
        else:
            delivery = verdict.answer.deliver(raw or http_answer(answer))
            if delivery.answer is None:
                self._travel(flight, False, self._cut_off)
            else:
                changed = delivery.answer
                self._after(delivery.over_s, lambda: self._bring(flight, changed))

    def _back_from_server(self, flight: Flight) -> None:
        assert flight.server is not None
        self._back(flight, flight.server, flight.raw)

    def _back(self, flight: Flight, answer: Answer, raw: HttpAnswer | None) -> None:
        if flight.dead or flight.over:
            return
        if flight.gone:
            self._end(flight, None, "the client had gone")
            return
        flight.raw = raw
        self._end(flight, answer, "")
        if not flight.answered.done():
            flight.answered.set_result(answer)

    def _cut_off(self, flight: Flight) -> None:
        self._end(flight, None, "the answer was cut off")
        self._fail(flight, CutOff("the answer was cut off"))

    # Endings.

    def reset(self, flight: Flight) -> None:
        """Its connection ends with a reset, wherever it has come to."""
        if flight.over:
            return
        flight.dead = True
        self._end(flight, None, "the connection was reset")
        self._fail(flight, Reset("the connection was reset"))

    def _fall_silent(self, flight: Flight, how: Silence, why: str) -> None:
        self._end(flight, None, why)
        if how == "reset":
            self._after(self._takes_s(flight, "reset"), lambda: self._fail(flight, Reset(why)))
        elif how == "close":
            self._after(self._takes_s(flight, "close"), lambda: self._fail(flight, CutOff(why)))

    def _fail(self, flight: Flight, failure: LinkFailed) -> None:
        if not flight.answered.done() and not flight.gone:
            flight.answered.set_exception(failure)

    def _end(self, flight: Flight, client: Answer | None, why: str) -> None:
        if flight.over:
            return
        flight.over = True
        self._flights.pop(flight, None)
        names = self.conditions.names
        faults = tuple(dict.fromkeys((*flight.faults, *names))) if names else flight.faults
        outcome = Outcome(flight.reached, flight.server, client, "+".join(faults) or None, why)
        self._tap.on_end(flight.exchange, outcome)

    # Travelling.

    def _travel(self, flight: Flight, up: bool, arrive: Callable[[Flight], None]) -> None:
        conditions = self.conditions
        takes_s = self._takes_s(flight, "up" if up else "down")
        flow = conditions.up if up else conditions.down
        if flow is FREE or flow == FREE:
            self._loop.call_later(takes_s, arrive, flight, context=_neutral())
            return
        chance = 0.0
        if flow.jitter_s:
            way = "up" if up else "down"
            chance = self._draw(f"jitter {way} {flight.key}")
        parcel = Parcel(flight, up, self._loop.time() + takes_s, chance, arrive)
        self._parcels[parcel] = None
        self._reckon(parcel)

    def _reckon(self, parcel: Parcel) -> None:
        """When it arrives as things are now; never while the link is stalled."""
        if parcel.timer is not None:
            parcel.timer.cancel()
            parcel.timer = None
        flow = self.conditions.up if parcel.up else self.conditions.down
        if flow.stalled:
            return
        due_s = parcel.due_s + flow.delay_s + flow.jitter_s * parcel.chance
        due_s += _spread_s(flow, _size(parcel.flight, parcel.up))
        parcel.timer = self._loop.call_at(due_s, self._hand_on, parcel, context=_neutral())

    def _hand_on(self, parcel: Parcel) -> None:
        del self._parcels[parcel]
        flight, up = parcel.flight, parcel.up
        if flight.dead:
            return
        limit = (self.conditions.up if up else self.conditions.down).limit_bytes
        if limit is not None:
            self._carried[up] += _size(flight, up)
            if self._carried[up] > limit:
                self._carried[up] = 0
                self._cut_off(flight)
                return
        parcel.arrive(flight)

    def _takes_s(self, flight: Flight, way: str) -> float:
        return LATENCY_S + JITTER_S * self._draw(f"latency {way} {flight.key}")

    def _after(self, delay_s: float, do: Callable[[], None]) -> None:
        if delay_s > 0:
            self._loop.call_later(delay_s, do, context=_neutral())
        else:
            do()


_neutral: Callable[[], contextvars.Context] = NEUTRAL.copy


def http_answer(answer: Answer) -> HttpAnswer:
    """The answer as it would stand on the wire."""
    headers = [("content-type", "application/json")]
    if answer.retry_after is not None:
        headers.append(("retry-after", answer.retry_after))
    return HttpAnswer(answer.status, tuple(headers), msgspec.json.encode(answer.body))


def _size(flight: Flight, up: bool) -> int:
    """Bytes of the body, about; heads are not counted."""
    if not up:
        return 0 if flight.server is None else len(msgspec.json.encode(flight.server.body))
    request = flight.request
    if request.body is not None:
        return len(request.body)
    return 0 if request.payload is None else len(msgspec.json.encode(request.payload))


def _spread_s(flow: Flow, size: int) -> float:
    """How much longer the message takes for coming slowly, or in slices."""
    slow_s = size / flow.bytes_per_s if flow.bytes_per_s is not None else 0.0
    slices = -(-size // flow.slice_bytes) if flow.slice_bytes else 1
    return slow_s + max(0, slices - 1) * flow.slice_gap_s
