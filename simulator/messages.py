"""The DTMS API without HTTP: a request in, status and body out, as plain objects.

Every rule of every route stands here, once: key, rate limit, what exists and what it takes, error
bodies. `Api` carries the messages over HTTP; whoever lives in the same process asks here.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import msgspec

from simulator.engine import Enabled, Engine, trade_info, unknown_ticket
from simulator.ledger import Registration
from simulator.limits import QUERIES_PER_S, REGISTRATIONS_PER_S, RateLimit
from simulator.request import TICKET_MAX, EnableRequest, Problem, read_enable

VERSION = "1.0.0"
ENABLE = "/dtms/trade/enable"
TRADE = "/dtms/trade/"
TRADE_ROUTE = "/dtms/trade/{ticket}"
TICKET = re.compile(r"[0-9]{1,19}\Z")


class Reply(msgspec.Struct, frozen=True, gc=False):
    """What goes back. `body` is of builtins, and of structs and enumerations that JSON can tell.

    `route` is what the path is counted under: never a path that only a client has made up.
    """

    status: int
    body: object
    retry_after_s: int | None = None
    route: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """How the API is served. `metrics` counts over HTTP only."""

    api_key: str | None = None
    rate_limit: bool = True
    metrics: bool = True


class Messages:
    """The API around one engine. `pages` are further paths to GET, and what makes their bodies."""

    def __init__(
        self,
        engine: Engine,
        options: Options = Options(),
        *,
        monotonic: Callable[[], float] = time.perf_counter,
        pages: Mapping[str, Callable[[], object]] = MappingProxyType({}),
    ) -> None:
        self._engine = engine
        self._monotonic = monotonic
        self._is_limited = options.rate_limit
        self._registrations = RateLimit(REGISTRATIONS_PER_S)
        self._queries = RateLimit(QUERIES_PER_S)
        self._key = (options.api_key or "").encode()
        self._routes: dict[str, dict[str, Callable[[], Awaitable[Reply | Problem]]]] = {
            "/": {"GET": self._root},
            "/health": {"GET": self._health},
            "/dtms/health": {"GET": self._dtms_health},
            "/dtms/status": {"GET": self._status},
            "/dtms/actions": {"GET": self._actions},
            "/dtms/engine": {"GET": self._information},
            "/dtms/initialize": {"POST": self._initialize},
        }
        for path, make in pages.items():
            self._routes[path] = {"GET": _page(path, make)}

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        client: str = "",
        key: bytes = b"",
        correlation_id: str = "",
    ) -> Coroutine[Any, Any, Reply]:
        """Answers any request, once awaited. `path` without query; `client` is whose rate counts.

        Not a coroutine function, so that registrations pay for no coroutine more.
        """
        if path == ENABLE and method == "POST":
            return self.enable(body, client=client, key=key, correlation_id=correlation_id)
        return self._other(method, path, client, key, correlation_id)

    async def enable(
        self,
        request: EnableRequest | Problem | bytes,
        *,
        client: str = "",
        key: bytes = b"",
        correlation_id: str = "",
    ) -> Reply:
        """POST /dtms/trade/enable. Bytes are read only if key and rate let the client pass."""
        engine = self._engine
        problem = self._keep_out(self._registrations, client, key, needs_key=True)
        if problem is None:
            if isinstance(request, bytes):
                request = read_enable(request)
            if isinstance(request, Problem):
                problem = request if engine.initialised else engine.not_ready()
            else:
                result = await engine.enable(request)
                if isinstance(result, Enabled):
                    engine.outcomes.add("already" if result.already else "new")
                    return _enabled(result)
                problem = result
        engine.outcomes.add(problem.code)
        return refusal(problem, correlation_id, ENABLE)

    def lookup(self, ticket: int, *, client: str = "", correlation_id: str = "") -> Reply:
        """GET /dtms/trade/{ticket}, without a loop: not for a store that others write to."""
        problem = self._keep_out(self._queries, client, b"", needs_key=False)
        if problem is not None:
            return refusal(problem, correlation_id, "limited")
        found = self._known(ticket)
        if isinstance(found, Problem):
            return refusal(found, correlation_id, TRADE_ROUTE)
        return _told(found)

    async def dtms_health(self, *, client: str = "", correlation_id: str = "") -> Reply:
        """GET /dtms/health, without looking for the route."""
        problem = self._keep_out(self._queries, client, b"", needs_key=False)
        if problem is not None:
            return refusal(problem, correlation_id, "limited")
        return await self._dtms_health()

    async def _other(
        self, method: str, path: str, client: str, key: bytes, correlation_id: str
    ) -> Reply:
        is_change = method in {"POST", "DELETE"}
        problem = self._keep_out(self._queries, client, key, needs_key=is_change)
        if problem is not None:
            return refusal(problem, correlation_id, "limited")
        if path.startswith(TRADE) and path != ENABLE:
            route = TRADE_ROUTE
            answer = await self._trade(method, path.removeprefix(TRADE))
        else:
            route = path
            answer = await self._routed(method, path)
        if isinstance(answer, Reply):
            return answer
        if answer.status == HTTPStatus.NOT_FOUND and route != TRADE_ROUTE:
            route = "unknown"
        return refusal(answer, correlation_id, route)

    async def _routed(self, method: str, path: str) -> Reply | Problem:
        methods = self._routes.get(path)
        if methods is None:
            if path == ENABLE:
                return _not_allowed(method, "POST")
            return Problem(404, "not_found", f"There is nothing at {path[:200]}.")
        handler = methods.get("GET" if method == "HEAD" else method)
        return _not_allowed(method, *methods) if handler is None else await handler()

    async def _trade(self, method: str, text: str) -> Reply | Problem:
        if method not in {"GET", "DELETE"}:
            return _not_allowed(method, "GET", "DELETE")
        ticket = int(text) if TICKET.match(text) else 0
        if self._engine.store.shared is None:
            found = self._known(ticket)
        else:
            found = _refused(ticket) or await self._engine.find(ticket)
        if method == "DELETE" and isinstance(found, Registration):
            found = await self._engine.close_trade(found.ticket)
        return found if isinstance(found, Problem) else _told(found)

    def _known(self, ticket: int) -> Registration | Problem:
        """What is registered under the ticket as memory has it, or why that is not told."""
        if (refused := _refused(ticket)) is not None:
            return refused
        if not self._engine.initialised:
            return self._engine.not_ready()
        return self._engine.ledger.get(ticket) or unknown_ticket(ticket)

    def _keep_out(
        self, limit: RateLimit, client: str, key: bytes, *, needs_key: bool
    ) -> Problem | None:
        """Why the request may not pass, if so."""
        if self._is_limited:
            wait_s = limit.wait_s(client, self._monotonic())
            if wait_s > 0:
                after_s = int(wait_s) + 1
                message = f"Too many requests; try again in {after_s} s."
                return Problem(429, "rate_limited", message, {"retry_after_s": after_s}, after_s)
        if needs_key and self._key and not hmac.compare_digest(key, self._key):
            return Problem(401, "unauthorised", "The header X-API-Key is missing or wrong.")
        return None

    async def _root(self) -> Reply:
        body = {
            "message": "Simulated DTMS API",
            "version": VERSION,
            "status": self._engine.status,
            "timestamp": self._engine.now(),
        }
        return Reply(200, body, route="/")

    async def _health(self) -> Reply:
        return Reply(*await self._engine.health(), route="/health")

    async def _dtms_health(self) -> Reply:
        status, body = await self._engine.dtms_health()
        return Reply(status, body, None if status == 200 else 1, "/dtms/health")

    async def _status(self) -> Reply | Problem:
        engine = self._engine
        if not engine.initialised:
            return engine.not_ready()
        body = {
            "success": True,
            "summary": f"{engine.ledger.active_count} active trades.",
            "dtms_status": engine.summary(),
        }
        return Reply(200, body, route="/dtms/status")

    async def _actions(self) -> Reply | Problem:
        if not self._engine.initialised:
            return self._engine.not_ready()
        actions = list(self._engine.ledger.actions)
        body = {
            "success": True,
            "summary": f"{len(actions)} actions.",
            "action_history": actions,
            "total_actions": len(actions),
        }
        return Reply(200, body, route="/dtms/actions")

    async def _information(self) -> Reply | Problem:
        if not self._engine.initialised:
            return self._engine.not_ready()
        return Reply(200, self._engine.information(), route="/dtms/engine")

    async def _initialize(self) -> Reply:
        told = await self._engine.initialize()
        return Reply(200 if told["success"] else 503, told, route="/dtms/initialize")


def refusal(problem: Problem, correlation_id: str, route: str) -> Reply:
    """The problem as every error body has it."""
    body = {
        "error": problem.code,
        "message": problem.message,
        "details": problem.details,
        "correlation_id": correlation_id,
    }
    return Reply(problem.status, body, problem.retry_after_s, route)


def _enabled(result: Enabled) -> Reply:
    registration = result.registration
    words = "was registered before" if result.already else "is registered"
    body = {
        "success": True,
        "summary": f"Ticket {registration.ticket} {words}.",
        "trade_info": trade_info(registration),
        "already_registered": result.already,
    }
    return Reply(200, body, None, ENABLE)


def _told(found: Registration) -> Reply:
    body = {
        "success": True,
        "summary": f"Ticket {found.ticket} is {found.state}.",
        "state": found.state,
        "trade_info": trade_info(found),
    }
    return Reply(200, body, None, TRADE_ROUTE)


def _refused(ticket: int) -> Problem | None:
    """Why there can be no such ticket, if so."""
    if 1 <= ticket <= TICKET_MAX:
        return None
    reason = f"ticket: must be a whole number from 1 to {TICKET_MAX}"
    return Problem(422, "invalid_request", reason, {"field": "ticket"})


def _not_allowed(method: str, *allowed: str) -> Problem:
    message = f"{method[:20]} is not allowed here; {' and '.join(allowed)} are."
    return Problem(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", message)


def _page(path: str, make: Callable[[], object]) -> Callable[[], Awaitable[Reply]]:
    async def told() -> Reply:
        return Reply(200, make(), route=path)

    return told
