"""The DTMS API over HTTP: an ASGI application around an engine.

Every request passes one place that does what all have in common: correlation id, key, rate limit,
body limit, metrics, error bodies. Routes are plain functions that return a status and a body.
"""

from __future__ import annotations

import hmac
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from simulator.documents import docs_page, openapi_document
from simulator.engine import Enabled, Engine, trade_info, unknown_ticket
from simulator.ledger import Registration
from simulator.limits import QUERIES_PER_S, REGISTRATIONS_PER_S, RateLimit
from simulator.metrics import CONTENT_TYPE, Metrics
from simulator.request import TICKET_MAX, Problem, read_enable

BODY_BYTES_MAX = 64 * 1024
CORRELATION_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}\Z")
VERSION = "1.0.0"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `body` is JSON already, unless `content_type` says otherwise."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How the API is served."""

    api_key: str | None = None
    rate_limit: bool = True
    metrics: bool = True


class Api:
    """The application. Lifespan events start and end the engine."""

    def __init__(
        self,
        engine: Engine,
        options: Options = Options(),
        *,
        lab: Callable[[str, str, bytes, bytes], Awaitable[Answer]] | None = None,
        monotonic: Callable[[], float] = time.perf_counter,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,  # noqa: TID251 - a default
    ) -> None:
        self._engine = engine
        self._options = options
        self._lab = lab
        self._monotonic = monotonic
        self._new_id = new_id
        self._metrics = Metrics(engine)
        self._registrations = RateLimit(REGISTRATIONS_PER_S)
        self._queries = RateLimit(QUERIES_PER_S)
        self._key = (options.api_key or "").encode()
        self._routes: dict[str, dict[str, Callable[[], Awaitable[Answer]]]] = {
            "/": {"GET": self._root},
            "/health": {"GET": self._health},
            "/dtms/health": {"GET": self._dtms_health},
            "/dtms/status": {"GET": self._status},
            "/dtms/actions": {"GET": self._actions},
            "/dtms/engine": {"GET": self._information},
            "/dtms/initialize": {"POST": self._initialize},
            "/openapi.json": {"GET": self._openapi},
            "/docs": {"GET": self._docs},
        }
        if options.metrics:
            self._routes["/dtms/metrics"] = {"GET": self._tell_metrics}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = self._monotonic()
        method, path = scope["method"], scope["path"]
        key, correlation_id = b"", b""
        token = b""
        for name, value in scope["headers"]:
            if name == b"x-correlation-id" and CORRELATION_ID.match(value):
                correlation_id = value
            elif name == b"x-api-key":
                key = value
            elif name == b"x-lab-token":
                token = value
        correlation_id = correlation_id or self._new_id().encode()
        body = await _read(receive)
        route = path
        if body is None:
            answer = _error(_too_large(), correlation_id)
        elif path == "/dtms/trade/enable" and method == "POST":
            answer = await self._enable(scope, key, body, correlation_id)
        elif path.startswith("/_lab") and self._lab is not None:
            route, answer = "/_lab", await self._lab(method, path, token, body)
        else:
            route, answer = await self._other(scope, method, path, key, correlation_id)
        await _send(send, answer, correlation_id)
        self._metrics.count(route, answer.status, self._monotonic() - began)

    async def _enable(self, scope: Scope, key: bytes, body: bytes, correlation_id: bytes) -> Answer:
        engine = self._engine
        problem = self._keep_out(scope, key, self._registrations, needs_key=True)
        if problem is None:
            request = read_enable(body)
            if isinstance(request, Problem):
                problem = request if engine.initialised else engine.not_ready()
            else:
                result = await engine.enable(request)
                if isinstance(result, Enabled):
                    engine.outcomes.add("already" if result.already else "new")
                    return _enabled(result)
                problem = result
        engine.outcomes.add(problem.code)
        return _error(problem, correlation_id)

    async def _other(
        self, scope: Scope, method: str, path: str, key: bytes, correlation_id: bytes
    ) -> tuple[str, Answer]:
        is_change = method in {"POST", "DELETE"}
        problem = self._keep_out(scope, key, self._queries, needs_key=is_change)
        if problem is not None:
            return "limited", _error(problem, correlation_id)
        if path.startswith("/dtms/trade/") and path != "/dtms/trade/enable":
            answer = await self._trade(method, path.removeprefix("/dtms/trade/"))
            route = "/dtms/trade/{ticket}"
        else:
            route, answer = path, await self._routed(method, path)
        if isinstance(answer, Problem):
            known = route if answer.status != 404 or route.endswith("}") else "unknown"
            return known, _error(answer, correlation_id)
        return route, answer

    async def _routed(self, method: str, path: str) -> Answer | Problem:
        methods = self._routes.get(path)
        if methods is None:
            if path == "/dtms/trade/enable":
                return _not_allowed(method, "POST")
            return Problem(404, "not_found", f"There is nothing at {path[:200]}.")
        handler = methods.get("GET" if method == "HEAD" else method)
        return _not_allowed(method, *methods) if handler is None else await handler()

    async def _trade(self, method: str, text: str) -> Answer | Problem:
        if method not in {"GET", "DELETE"}:
            return _not_allowed(method, "GET", "DELETE")
        if not re.fullmatch(r"[0-9]{1,19}", text) or not 1 <= int(text) <= TICKET_MAX:
            reason = f"ticket: must be a whole number from 1 to {TICKET_MAX}"
            return Problem(422, "invalid_request", reason, {"field": "ticket"})
        ticket = int(text)
        if not self._engine.initialised:
            return self._engine.not_ready()
        found: Registration | Problem | None
        if method == "DELETE":
            found = await self._engine.close_trade(ticket)
        else:
            found = self._engine.ledger.get(ticket) or unknown_ticket(ticket)
        if isinstance(found, Problem):
            return found
        return _json(
            200,
            {
                "success": True,
                "summary": f"Ticket {ticket} is {found.state}.",
                "state": found.state,
                "trade_info": trade_info(found),
            },
        )

    def _keep_out(
        self, scope: Scope, key: bytes, limit: RateLimit, *, needs_key: bool
    ) -> Problem | None:
        """Why the request may not pass, if so."""
        if self._options.rate_limit:
            client = scope["client"][0] if scope.get("client") else "unknown"
            wait_s = limit.wait_s(client, self._monotonic())
            if wait_s > 0:
                after_s = int(wait_s) + 1
                message = f"Too many requests; try again in {after_s} s."
                return Problem(429, "rate_limited", message, {"retry_after_s": after_s}, after_s)
        if needs_key and self._key and not hmac.compare_digest(key, self._key):
            return Problem(401, "unauthorised", "The header X-API-Key is missing or wrong.")
        return None

    async def _root(self) -> Answer:
        return _json(
            200,
            {
                "message": "Simulated DTMS API",
                "version": VERSION,
                "status": self._engine.status,
                "timestamp": self._engine.now(),
            },
        )

    async def _health(self) -> Answer:
        return _json(*await self._engine.health())

    async def _dtms_health(self) -> Answer:
        status, body = await self._engine.dtms_health()
        return _json(status, body, retry_after_s=None if status == 200 else 1)

    async def _status(self) -> Answer:
        return self._when_initialised(
            lambda: {
                "success": True,
                "summary": f"{self._engine.ledger.active_count} active trades.",
                "dtms_status": self._engine.summary(),
            }
        )

    async def _actions(self) -> Answer:
        def told() -> dict[str, object]:
            actions = list(self._engine.ledger.actions)
            return {
                "success": True,
                "summary": f"{len(actions)} actions.",
                "action_history": actions,
                "total_actions": len(actions),
            }

        return self._when_initialised(told)

    async def _information(self) -> Answer:
        return self._when_initialised(self._engine.information)

    def _when_initialised(self, told: Callable[[], dict[str, object]]) -> Answer:
        if not self._engine.initialised:
            return _error(self._engine.not_ready(), b"")
        return _json(200, told())

    async def _initialize(self) -> Answer:
        told = await self._engine.initialize()
        return _json(200 if told["success"] else 503, told)

    async def _tell_metrics(self) -> Answer:
        return Answer(200, self._metrics.text(), CONTENT_TYPE.encode())

    async def _openapi(self) -> Answer:
        return Answer(200, openapi_document())

    async def _docs(self) -> Answer:
        return Answer(200, docs_page(), b"text/html; charset=utf-8")

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


def _enabled(result: Enabled) -> Answer:
    registration = result.registration
    words = "was registered before" if result.already else "is registered"
    return _json(
        200,
        {
            "success": True,
            "summary": f"Ticket {registration.ticket} {words}.",
            "trade_info": trade_info(registration),
            "already_registered": result.already,
        },
    )


def _json(status: int, body: object, retry_after_s: int | None = None) -> Answer:
    return Answer(status, msgspec.json.encode(body), retry_after_s=retry_after_s)


def _error(problem: Problem, correlation_id: bytes) -> Answer:
    body = {
        "error": problem.code,
        "message": problem.message,
        "details": problem.details,
        "correlation_id": correlation_id.decode("ascii"),
    }
    return _json(problem.status, body, problem.retry_after_s)


def _too_large() -> Problem:
    message = f"The body is larger than {BODY_BYTES_MAX} bytes."
    return Problem(413, "too_large", message, {"bytes_max": BODY_BYTES_MAX})


def _not_allowed(method: str, *allowed: str) -> Problem:
    message = f"{method[:20]} is not allowed here; {' and '.join(allowed)} are."
    return Problem(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", message)


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


async def _send(send: Send, answer: Answer, correlation_id: bytes) -> None:
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-correlation-id", correlation_id),
    ]
    if answer.retry_after_s is not None:
        headers.append((b"retry-after", str(answer.retry_after_s).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
