"""How a service reaches the API in the simulation, below the core's port or below httpx."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

import httpx

from chaos.json_body import decoded
from chaos.proxy.tap import Answer as WireAnswer
from core.errors import NotSent, Unanswered
from core.port import UNSENT_SHARE, Answer, retry_after_s
from scenarios.worlds.sim.deadlines import Deadlines
from scenarios.worlds.sim.message_link import (
    CutOff,
    Flight,
    LinkFailed,
    MessageLink,
    Refused,
    Request,
    http_answer,
)
from scenarios.worlds.sim.moment import SimClock

Reached = Callable[[str], None]
"""Told of each point that the process comes to; it may die there."""

ENABLE = "/dtms/trade/enable"
HEALTH = "/dtms/health"


class Connections:
    """A pool's limit: at most so many exchanges at once; who waits too long is told so."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self, within_s: float) -> bool:
        """Whether there was one in time."""
        if self._free:
            self._free -= 1
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(within_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.give_back()  # it came at the moment of giving up
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def give_back(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class MessageApi:
    """The core's port (`DtmsApi`) straight onto a link: no HTTP objects."""

    def __init__(
        self, link: MessageLink, clock: SimClock, connections: int, reached: Reached
    ) -> None:
        self._link = link
        self._clock = clock
        self._connections = Connections(connections)
        self._reached = reached
        self._deadlines = Deadlines()

    async def enable(
        self,
        payload: Mapping[str, object],
        *,
        timeout_s: float,
        correlation_id: str,  # noqa: ARG002 - there are no headers
    ) -> Answer:
        return await self._call(Request("POST", ENABLE, payload), timeout_s)

    async def lookup(self, ticket: int, *, timeout_s: float, correlation_id: str) -> Answer:  # noqa: ARG002
        return await self._call(Request("GET", f"/dtms/trade/{ticket}"), timeout_s)

    async def health(self, *, timeout_s: float) -> Answer:
        return await self._call(Request("GET", HEALTH), timeout_s)

    async def aclose(self) -> None:
        """Nothing is kept open."""

    async def _call(self, request: Request, timeout_s: float) -> Answer:
        connections = self._connections
        if not await connections.take(timeout_s * UNSENT_SHARE):
            raise NotSent("no connection was to be had in time")
        try:
            self._reached("send")
            flight = self._link.send(request)
            self._reached("sent")
            if flight is None:
                raise NotSent("connection refused")
            answer = await within(self._deadlines, self._link, flight, timeout_s)
            self._reached("received")
        finally:
            connections.give_back()
        header = answer.retry_after
        wait_s = None if header is None else retry_after_s(header, self._clock.now())
        return Answer(answer.status, answer.body, wait_s)


async def within(
    deadlines: Deadlines, link: MessageLink, flight: Flight, timeout_s: float
) -> WireAnswer:
    """The answer. Raises `NotSent` or `Unanswered`."""
    deadlines.watch(flight.answered, timeout_s)
    try:
        return await flight.answered
    except Refused as refused:
        raise NotSent("connection refused") from refused
    except LinkFailed as failure:
        raise Unanswered(str(failure)) from failure
    finally:
        link.give_up(flight)


class LinkTransport(httpx.AsyncBaseTransport):
    """httpx's lower half onto a link: everything above it is the real library."""

    def __init__(self, link: MessageLink, connections: int, reached: Reached) -> None:
        self._link = link
        self._connections = Connections(connections)
        self._reached = reached

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeouts = request.extensions.get("timeout", {})
        connections = self._connections
        body = await request.aread()
        headers = tuple((name.lower(), value) for name, value in request.headers.raw)
        told = Request(request.method, request.url.path, decoded(body), body, headers)
        if not await connections.take(timeouts.get("pool") or 5.0):
            raise httpx.PoolTimeout("no connection was to be had in time", request=request)
        flight = None
        try:
            self._reached("send")
            flight = self._link.send(told)
            self._reached("sent")
            if flight is None:
                raise httpx.ConnectError("All connection attempts failed", request=request)
            try:
                answer = await flight.answered
            except Refused as failure:
                raise httpx.ConnectError(str(failure), request=request) from failure
            except CutOff as failure:
                raise httpx.RemoteProtocolError(str(failure), request=request) from failure
            except LinkFailed as failure:
                raise httpx.ReadError(str(failure), request=request) from failure
            self._reached("received")
        finally:
            if flight is not None:
                self._link.give_up(flight)
            connections.give_back()
        raw = flight.raw or http_answer(answer)
        return httpx.Response(
            raw.status, headers=list(raw.headers), stream=httpx.ByteStream(raw.body)
        )
