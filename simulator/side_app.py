"""A side process's messages over HTTP, and the token that its control plane asks for.

Broker and main API answer `(method, path, query, body)` with status and body, as plain objects;
whoever lives in the same process asks them so, and here a server does.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")

Answered = tuple[int, object]
"""Status and body."""
Answer = Callable[[str, str, Mapping[str, str], bytes], Awaitable[Answered]]

T = TypeVar("T")


def make_app(answer: Answer, token: str | None) -> Starlette:
    """Serves the answers; what is under /_lab only to who knows the token, if there is one."""

    async def serve(request: Request) -> Response:
        path = request.url.path
        if path.startswith("/_lab"):
            given = request.headers.get("X-Lab-Token", "")
            if not token or not hmac.compare_digest(given.encode(), token.encode()):
                return _response(401, {"error": "unauthorised", "message": "X-Lab-Token is wrong."})
        method = "GET" if request.method == "HEAD" else request.method
        return _response(*await answer(method, path, request.query_params, await request.body()))

    return Starlette(routes=[Route("/{path:path}", serve, methods=METHODS)])


def read(body: object, kind: type[T]) -> T:
    """What was sent: from JSON, where it is bytes. Raises `msgspec.ValidationError` and kin."""
    if isinstance(body, bytes):
        try:
            return msgspec.json.decode(body, type=kind)
        except UnicodeDecodeError as error:
            raise msgspec.DecodeError(str(error)) from error
    return msgspec.convert(body, kind)


def read_ticket(text: str) -> int | None:
    """The ticket in a path, if it is one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def refused(error: msgspec.DecodeError) -> Answered:
    """The body cannot be read."""
    return 422, {"error": "refused", "message": str(error)}


def unknown(method: str, path: str) -> Answered:
    """There is no such route."""
    return 404, {"error": "not_found", "message": f"There is no {method} {path[:200]}."}


def _response(status: int, body: object) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
