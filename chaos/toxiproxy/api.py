"""Toxiproxy's HTTP API, every route of 2.12, over the embedded proxies.

Answers are those of the real server, so that any client of it can be used. Where that one would
crash, or do what nobody asked for, this one answers 400 with a sentence; `POST /reset` leaves
disabled proxies disabled.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chaos.toxiproxy.http_toxics import HTTP_TYPES
from chaos.toxiproxy.named_toxic import NamedToxic
from chaos.toxiproxy.proxies import NoSuch, Proxied, Proxies, Taken
from chaos.toxiproxy.toxics import TYPES, Stream

VERSION: Final = "2.12.0"
"""Of the API that is spoken."""
BODY_BYTES_MAX: Final = 1024 * 1024
STREAMS: Final[dict[str, Stream]] = {"upstream": "upstream", "downstream": "downstream"}


class Refused(Exception):
    """What is answered instead: a status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class ProxyBody(msgspec.Struct):
    """What a request says of a proxy; what it does not say is None."""

    name: str | None = None
    listen: str | None = None
    upstream: str | None = None
    enabled: bool | None = None


class ToxicBody(msgspec.Struct):
    """What a request says of a toxic."""

    name: str | None = None
    type: str | None = None
    stream: str | None = None
    toxicity: float | None = None
    attributes: dict[str, Any] | None = None


def toxiproxy_api(proxies: Proxies) -> Starlette:
    """The ASGI application. Whoever serves it closes the proxies."""

    async def index(_request: Request) -> Response:
        return JSONResponse({name: _told(proxy) for name, proxy in proxies.by_name.items()})

    async def create(request: Request) -> Response:
        body = await _body(request, ProxyBody)
        name, listen, upstream = _whole(body, "")
        enabled = body.enabled is not False
        return JSONResponse(_told(await proxies.create(name, listen, upstream, enabled)), 201)

    async def populate(request: Request) -> Response:
        bodies = await _body(request, list[ProxyBody])
        wanted = [_whole(body, f" at proxy {number}") for number, body in enumerate(bodies, 1)]
        for _name, listen, upstream in wanted:
            proxies.addresses(listen, upstream)
        told: list[dict[str, Any]] = []
        try:
            for body, whole in zip(bodies, wanted, strict=True):
                made = await proxies.populate(*whole, enabled=body.enabled is not False)
                told.append(_told(made))
        except OSError as error:
            return JSONResponse({"error": str(error), "status": 500, "proxies": told}, 500)
        return JSONResponse({"proxies": told}, 201)

    async def show(request: Request) -> Response:
        return JSONResponse(_told(proxies.get(_proxy(request))))

    async def update(request: Request) -> Response:
        there = proxies.get(_proxy(request))
        body = await _body(request, ProxyBody)
        listen = str(there.listen) if body.listen is None else body.listen
        upstream = str(there.upstream) if body.upstream is None else body.upstream
        enabled = there.enabled if body.enabled is None else body.enabled
        return JSONResponse(_told(await proxies.update(there.name, listen, upstream, enabled)))

    async def delete(request: Request) -> Response:
        await proxies.delete(_proxy(request))
        return Response(status_code=204)

    async def toxics(request: Request) -> Response:
        return JSONResponse(_toxics_told(proxies.get(_proxy(request))))

    async def add(request: Request) -> Response:
        proxies.get(_proxy(request))
        body = await _body(request, ToxicBody)
        stream = STREAMS.get("downstream" if body.stream is None else body.stream)
        if stream is None:
            raise Refused(400, "stream was invalid, can be either upstream or downstream")
        type_ = body.type or ""
        if type_ not in TYPES and type_ not in HTTP_TYPES:
            raise Refused(400, "invalid toxic type")
        toxicity = 1.0 if body.toxicity is None else body.toxicity
        name = body.name or f"{type_}_{stream}"
        toxic = NamedToxic.of(name, type_, stream, toxicity, body.attributes or {})
        proxies.add_toxic(_proxy(request), toxic)
        return JSONResponse(_toxic_told(toxic))

    async def show_toxic(request: Request) -> Response:
        return JSONResponse(_toxic_told(proxies.toxic(_proxy(request), _toxic(request))))

    async def change_toxic(request: Request) -> Response:
        proxies.toxic(_proxy(request), _toxic(request))
        body = await _body(request, ToxicBody)
        toxic = proxies.toxic(_proxy(request), _toxic(request))
        toxic = toxic.changed(body.toxicity, body.attributes or {})
        proxies.get(_proxy(request)).change(toxic)
        return JSONResponse(_toxic_told(toxic))

    async def remove_toxic(request: Request) -> Response:
        toxic = proxies.toxic(_proxy(request), _toxic(request))
        proxies.get(_proxy(request)).lift(toxic.name)
        return Response(status_code=204)

    async def reset(_request: Request) -> Response:
        await proxies.reset()
        return Response(status_code=204)

    async def version(_request: Request) -> Response:
        return JSONResponse({"version": VERSION})

    changes = ["POST", "PATCH"]
    routes = (
        ("/reset", reset, ["POST"]),
        ("/proxies", index, ["GET"]),
        ("/proxies", create, ["POST"]),
        ("/populate", populate, ["POST"]),
        ("/proxies/{proxy}", show, ["GET"]),
        ("/proxies/{proxy}", update, changes),
        ("/proxies/{proxy}", delete, ["DELETE"]),
        ("/proxies/{proxy}/toxics", toxics, ["GET"]),
        ("/proxies/{proxy}/toxics", add, ["POST"]),
        ("/proxies/{proxy}/toxics/{toxic}", show_toxic, ["GET"]),
        ("/proxies/{proxy}/toxics/{toxic}", change_toxic, changes),
        ("/proxies/{proxy}/toxics/{toxic}", remove_toxic, ["DELETE"]),
        ("/version", version, ["GET"]),
    )
    return Starlette(
        routes=[Route(path, _guarded(do), methods=methods) for path, do, methods in routes],
        exception_handlers={HTTPException: _plainly},
    )


Endpoint = Callable[[Request], Awaitable[Response]]


def _guarded(endpoint: Endpoint) -> Endpoint:
    """Keeps browsers out, as Toxiproxy does, since a page could ask anything of loopback; and
    answers what goes wrong as the API does."""

    async def guarded(request: Request) -> Response:
        if request.headers.get("user-agent", "").startswith("Mozilla/"):
            return Response("User agent not allowed\n", 403, media_type="text/plain")
        try:
            return await endpoint(request)
        except Refused as refused:
            return _error(refused.status, str(refused))
        except NoSuch as missing:
            return _error(404, str(missing))
        except Taken as taken:
            return _error(409, str(taken))
        except ValueError as error:
            return _error(400, f"bad request body: {error}")
        except OSError as error:
            return _error(500, str(error))

    return guarded


def _error(status: int, sentence: str) -> Response:
    body = json.dumps({"error": sentence, "status": status}) + "\n"
    return Response(body, status, media_type="text/plain")


async def _plainly(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return Response("404 page not found\n" if status == 404 else "", status)


async def _body(request: Request, kind: type[Any]) -> Any:
    """The body, as that kind. Raises `Refused`."""
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > BODY_BYTES_MAX:
            raise Refused(400, f"bad request body: more than {BODY_BYTES_MAX} bytes")
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        raise Refused(400, f"bad request body: {error}") from error


def _whole(body: ProxyBody, where: str) -> tuple[str, str, str]:
    """Name, where it listens, and upstream. Raises `Refused` where one is missing."""
    if not body.name:
        raise Refused(400, f"missing required field: name{where}")
    if not body.upstream:
        raise Refused(400, f"missing required field: upstream{where}")
    return body.name, body.listen or "", body.upstream


def _proxy(request: Request) -> str:
    return str(request.path_params["proxy"])


def _toxic(request: Request) -> str:
    return str(request.path_params["toxic"])


def _told(proxied: Proxied) -> dict[str, Any]:
    return {
        "name": proxied.name,
        "listen": str(proxied.listen),
        "upstream": str(proxied.upstream),
        "enabled": proxied.enabled,
        "toxics": _toxics_told(proxied),
    }


def _toxics_told(proxied: Proxied) -> list[dict[str, Any]]:
    toxics = sorted(proxied.toxics.values(), key=lambda toxic: toxic.stream == "downstream")
    return [_toxic_told(toxic) for toxic in toxics]


def _toxic_told(toxic: NamedToxic) -> dict[str, Any]:
    return {
        "attributes": dict(toxic.attributes),
        "name": toxic.name,
        "type": toxic.type,
        "stream": toxic.stream,
        "toxicity": toxic.toxicity,
    }
