"""The DTMS API over HTTP: an ASGI application that carries `Messages`.

What only HTTP has stands here: headers, the body limit, correlation ids, encoding, the pages that
are no messages, metrics of requests, and the lifespan that starts and ends the engine.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import msgspec

from simulator.documents import docs_page, openapi_document
from simulator.engine import Engine
from simulator.messages import Messages, Options, Reply, refusal
from simulator.metrics import CONTENT_TYPE, Metrics
from simulator.request import Problem

BODY_BYTES_MAX = 64 * 1024
CORRELATION_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}\Z")
JSON = b"application/json"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Page:
    """A body that is sent as it is."""

    content: bytes
    content_type: bytes = JSON


class Api:
    """The application. Lifespan events start and end the engine.

    With `messages` it carries these, whose options count, without metrics and pages of its own.
    """

    def __init__(
        self,
        engine: Engine,
        options: Options | None = None,
        *,
        lab: Callable[[str, str, bytes, bytes], Awaitable[Reply]] | None = None,
        messages: Messages | None = None,
        monotonic: Callable[[], float] = time.perf_counter,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,  # noqa: TID251 - a default
    ) -> None:
        options = options or Options()
        self._engine = engine
        self._lab = lab
        self._monotonic = monotonic
        self._new_id = new_id
        self._metrics: Metrics | None = None
        if messages is not None:
            self._messages = messages
            return
        self._metrics = metrics = Metrics(engine)
        pages: dict[str, Callable[[], object]] = {
            "/openapi.json": lambda: Page(openapi_document()),
            "/docs": lambda: Page(docs_page(), b"text/html; charset=utf-8"),
        }
        if options.metrics:
            pages["/dtms/metrics"] = lambda: Page(metrics.text(), CONTENT_TYPE.encode())
        self._messages = Messages(engine, options, monotonic=monotonic, pages=pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = self._monotonic()
        method, path = scope["method"], scope["path"]
        key = token = correlation_id = b""
        for name, value in scope["headers"]:
            if name == b"x-correlation-id" and CORRELATION_ID.match(value):
                correlation_id = value
            elif name == b"x-api-key":
                key = value
            elif name == b"x-lab-token":
                token = value
        correlation_id = correlation_id or self._new_id().encode()
        body = await _read(receive)
        if body is None:
            reply = refusal(too_large(), correlation_id.decode("ascii"), "too_large")
        elif self._lab is not None and path.startswith("/_lab"):
            reply = await self._lab(method, path, token, body)
        else:
            client = scope.get("client")
            reply = await self._messages.request(
                method,
                path,
                body,
                client=client[0] if client else "unknown",
                key=key,
                correlation_id=correlation_id.decode("ascii"),
            )
        await _send(send, reply, correlation_id)
        if self._metrics is not None:
            self._metrics.count(reply.route, reply.status, self._monotonic() - began)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._engine.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._engine.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return


def too_large() -> Problem:
    """Why a body over BODY_BYTES_MAX is refused, unread."""
    message = f"The body is larger than {BODY_BYTES_MAX} bytes."
    return Problem(413, "too_large", message, {"bytes_max": BODY_BYTES_MAX})


async def _read(receive: Receive) -> bytes | None:
    """The body; None where it is larger than BODY_BYTES_MAX, which is then not kept."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body if len(body) <= BODY_BYTES_MAX else None
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= BODY_BYTES_MAX:
            parts.append(part)
    return b"".join(parts) if size <= BODY_BYTES_MAX else None


async def _send(send: Send, reply: Reply, correlation_id: bytes) -> None:
    body = reply.body
    if isinstance(body, Page):
        content, content_type = body.content, body.content_type
    else:
        content, content_type = msgspec.json.encode(body), JSON
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(content)).encode()),
        (b"x-correlation-id", correlation_id),
    ]
    if reply.retry_after_s is not None:
        headers.append((b"retry-after", str(reply.retry_after_s).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
