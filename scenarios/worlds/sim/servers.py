"""Servers as links reach them in the simulation: without HTTP, or through their ASGI application.

Each takes requests inside its own process, and says at which points it has come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from chaos.answer import HttpAnswer
from chaos.proxy.tap import Answer
from scenarios.worlds.sim.message_link import Request
from simulator.api import BODY_BYTES_MAX, too_large
from simulator.deterministic.loop import running_loop
from simulator.deterministic.process import Process
from simulator.messages import ENABLE, TRADE, Messages, Reply, refusal
from simulator.request import EnableRequest, Problem, read_enable_object

Told = Callable[[Answer, HttpAnswer | None], None]
Reached = Callable[[str], None]
CLIENT = "127.0.0.1"
"""Every service is on this host: one client, as far as rate limits go."""


class MessageServer:
    """The DTMS API without HTTP."""

    def __init__(self, process: Process, messages: Messages, reached: Reached) -> None:
        self.process = process
        self._messages = messages
        self._reached = reached
        self._loop = running_loop()

    def take(self, request: Request, reply: Told) -> None:
        self._reached("receive")
        path = request.path
        if request.method == "GET" and path.startswith(TRADE) and path[len(TRADE) :].isdigit():
            self._tell(self._messages.lookup(int(path[len(TRADE) :]), client=CLIENT), reply)
        else:
            self._loop.run_errand(self._answer(request, reply))

    async def _answer(self, request: Request, reply: Told) -> None:
        messages = self._messages
        if request.path == ENABLE and request.method == "POST" and request.body is None:
            wanted: EnableRequest | Problem = read_enable_object(request.payload)
            told = await messages.enable(wanted, client=CLIENT)
        elif request.path == "/dtms/health":
            told = await messages.dtms_health(client=CLIENT)
        else:
            body = request.body or b""
            if len(body) > BODY_BYTES_MAX:
                told = refusal(too_large(), "", "too_large")
            else:
                told = await messages.request(request.method, request.path, body, client=CLIENT)
        self._tell(told, reply)

    def _tell(self, told: Reply, reply: Told) -> None:
        self._reached("answer")
        wait_s = told.retry_after_s
        reply(Answer(told.status, told.body, None if wait_s is None else str(wait_s)), None)
        self._reached("answered")


class AsgiServer:
    """An ASGI application; the server around it is left out."""

    def __init__(self, process: Process, app: Any, reached: Reached) -> None:
        self.process = process
        self._app = app
        self._reached = reached
        self._loop = running_loop()

    def take(self, request: Request, reply: Told) -> None:
        self._reached("receive")
        self._loop.run_errand(self._answer(request, reply))

    async def _answer(self, request: Request, reply: Told) -> None:
        body = request.body
        if body is None:
            body = b"" if request.payload is None else msgspec.json.encode(request.payload)
        raw = await call_asgi(self._app, request.method, request.path, body, request.headers)
        self._reached("answer")
        reply(Answer.of(raw), raw)
        self._reached("answered")


class PlainServer:
    """Broker and main API, who answer `(method, path, query, body)`."""

    def __init__(
        self,
        process: Process,
        answer: Callable[[str, str, Mapping[str, str], object], Awaitable[tuple[int, object]]],
    ) -> None:
        self.process = process
        self._answer_to = answer
        self._loop = running_loop()

    def take(self, request: Request, reply: Told) -> None:
        self._loop.run_errand(self._answer(request, reply))

    async def _answer(self, request: Request, reply: Told) -> None:
        path, _, query = request.path.partition("?")
        body = request.payload if request.body is None else request.body
        status, told = await self._answer_to(request.method, path, dict(parse_qsl(query)), body)
        reply(Answer(status, msgspec.to_builtins(told), None), None)


async def call_asgi(
    app: Any, method: str, target: str, body: bytes, headers: tuple[tuple[bytes, bytes], ...]
) -> HttpAnswer:
    """One request to an ASGI application (ASGI 3, HTTP scope)."""
    path, _, query = target.partition("?")
    sent = False
    status = 500
    told: tuple[tuple[bytes, bytes], ...] = ()
    parts: list[bytes] = []

    async def receive() -> dict[str, object]:
        nonlocal sent
        if sent:
            await asyncio.get_running_loop().create_future()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, told
        if message["type"] == "http.response.start":
            status, told = message["status"], tuple(message.get("headers", ()))
        else:
            parts.append(message.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": headers,
        "client": (CLIENT, 0),
        "server": (CLIENT, 8001),
    }
    await app(scope, receive, send)
    decoded = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in told)
    return HttpAnswer(status, decoded, b"".join(parts))
