"""The DTMS API over httpx: one pooled client for the life of the process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache

import httpx

from core.errors import NotSent, Unanswered
from core.port import BODY_BYTES_MAX, UNDECODABLE, UNSENT_SHARE, Answer, retry_after_s

URLS_MAX = 4_096
"""How many URLs are remembered: a ticket is looked up again and again, and parsing its URL costs as
much as the rest of the request."""
_ENCODE = json.JSONEncoder(allow_nan=False).encode


class HttpxApi:
    """`now` resolves Retry-After dates. `transport` replaces the network, for simulations."""

    def __init__(
        self,
        api_url: str,
        *,
        now: Callable[[], datetime],
        connections: int = 10,
        keepalive: int = 5,
        api_key: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._now = now
        self._enable_url = url_of(f"{api_url}/dtms/trade/enable")
        self._health_url = url_of(f"{api_url}/dtms/health")
        self._trade_url = f"{api_url}/dtms/trade/"
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=keepalive)
        # The transport without the client around it: no redirects, cookies or proxies are wanted,
        # and it costs a fifth less for each request. verify=False: the API is plain HTTP on this
        # host, and a TLS context costs 20 ms.
        self._transport = transport or httpx.AsyncHTTPTransport(limits=limits, verify=False)
        host = (b"Host", self._health_url.netloc)
        key = ((b"X-API-Key", api_key.encode("ascii")),) if api_key else ()
        self._always = (host, *key)

    async def enable(
        self, payload: Mapping[str, object], *, timeout_s: float, correlation_id: str
    ) -> Answer:
        body = _ENCODE(payload).encode()
        headers = (
            (b"Content-Type", b"application/json"),
            (b"Content-Length", str(len(body)).encode("ascii")),
            (b"X-Correlation-ID", correlation_id.encode("ascii")),
        )
        return await self._call("POST", self._enable_url, headers, body, timeout_s)

    async def lookup(self, ticket: int, *, timeout_s: float, correlation_id: str) -> Answer:
        headers = ((b"X-Correlation-ID", correlation_id.encode("ascii")),)
        url = url_of(f"{self._trade_url}{ticket}")
        return await self._call("GET", url, headers, b"", timeout_s)

    async def health(self, *, timeout_s: float) -> Answer:
        return await self._call("GET", self._health_url, (), b"", timeout_s)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _call(
        self,
        method: str,
        url: httpx.URL,
        headers: tuple[tuple[bytes, bytes], ...],
        body: bytes,
        timeout_s: float,
    ) -> Answer:
        # Connecting ends a little before the whole, so that it can be told what was not sent.
        unsent_s = timeout_s * UNSENT_SHARE
        within = {"connect": unsent_s, "pool": unsent_s, "read": timeout_s, "write": timeout_s}
        # With a stream httpx takes the headers as they are: it would find out for each request
        # anew what is the same for all.
        request = httpx.Request(
            method,
            url,
            headers=[*self._always, *headers],
            stream=httpx.ByteStream(body),
            extensions={"timeout": within},
        )
        try:
            # httpx bounds each read; the whole is bounded here, or a trickle would never end.
            async with asyncio.timeout(timeout_s):
                response = await self._transport.handle_async_request(request)
                try:
                    raw = await _read(response)
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotSent(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        except (httpx.HTTPError, httpx.StreamError, TimeoutError) as error:
            raise Unanswered(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        return Answer(
            response.status_code,
            _decode(raw),
            self._retry_after_s(response),
        )

    def _retry_after_s(self, response: httpx.Response) -> float | None:
        if "Retry-After" not in response.headers:
            return None
        return retry_after_s(response.headers["Retry-After"], self._now())


@lru_cache(URLS_MAX)
def url_of(text: str) -> httpx.URL:
    """The URL, parsed once."""
    return httpx.URL(text)


async def _read(response: httpx.Response) -> bytes:
    parts, size = [], 0
    assert isinstance(response.stream, httpx.AsyncByteStream)
    async for part in response.stream:
        parts.append(part)
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise Unanswered(f"the answer is longer than {BODY_BYTES_MAX} bytes")
    return b"".join(parts)


def _decode(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return UNDECODABLE
