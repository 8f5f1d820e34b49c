"""The DTMS API over aiohttp, for high rates: about a tenth of httpx's CPU for each request."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from core.errors import NotSent, Unanswered
from core.port import BODY_BYTES_MAX, UNDECODABLE, UNSENT_SHARE, Answer, retry_after_s


@dataclass(slots=True, eq=False)
class _Pool:
    """A session with its connections, and how many requests are under way in it."""

    session: aiohttp.ClientSession
    users: int = 0


class AiohttpApi:
    """Must be made inside the running loop that uses it.

    A connection that was lost takes the idle ones with it: what ended it, such as a server that
    was restarted behind a silent network, has mostly ended them as well, and each would cost a
    failure that the breaker counts.
    """

    def __init__(
        self,
        api_url: str,
        *,
        now: Callable[[], datetime],
        connections: int = 10,
        keepalive_s: float = 15.0,
        api_key: str | None = None,
    ) -> None:
        self._now = now
        self._api_url = api_url
        self._connections = connections
        self._keepalive_s = keepalive_s
        self._headers = {"X-API-Key": api_key} if api_key else None
        self._pool = self._new_pool()

    async def enable(
        self, payload: Mapping[str, object], *, timeout_s: float, correlation_id: str
    ) -> Answer:
        body = json.dumps(payload, allow_nan=False).encode()
        headers = {"Content-Type": "application/json", "X-Correlation-ID": correlation_id}
        return await self._call("POST", "/dtms/trade/enable", headers, body, timeout_s)

    async def lookup(self, ticket: int, *, timeout_s: float, correlation_id: str) -> Answer:
        headers = {"X-Correlation-ID": correlation_id}
        return await self._call("GET", f"/dtms/trade/{ticket}", headers, None, timeout_s)

    async def health(self, *, timeout_s: float) -> Answer:
        return await self._call("GET", "/dtms/health", {}, None, timeout_s)

    async def aclose(self) -> None:
        await self._pool.session.close()

    def _new_pool(self) -> _Pool:
        return _Pool(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections, keepalive_timeout=self._keepalive_s
                ),
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                middlewares=(_sent_once,),
            )
        )

    async def _call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_s: float,
    ) -> Answer:
        timeout = aiohttp.ClientTimeout(total=timeout_s, connect=timeout_s * UNSENT_SHARE)
        pool = self._pool
        pool.users += 1
        try:
            async with pool.session.request(
                method,
                self._api_url + path,
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                raw = await response.content.read(BODY_BYTES_MAX + 1)
                while len(raw) <= BODY_BYTES_MAX and not response.content.at_eof():
                    raw += await response.content.read(BODY_BYTES_MAX + 1 - len(raw))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        except _Lost as lost:
            if pool is self._pool:
                self._pool = self._new_pool()
            raise Unanswered(str(lost)) from lost
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise Unanswered(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        finally:
            pool.users -= 1
            if pool is not self._pool and not pool.users:
                await pool.session.close()
        if len(raw) > BODY_BYTES_MAX:
            raise Unanswered(f"the answer is longer than {BODY_BYTES_MAX} bytes")
        header = response.headers.get("Retry-After")
        return Answer(response.status, _decode(raw), retry_after_s(header, self._now()))


class _Lost(Exception):
    """The connection ended under the request. No error of aiohttp's, which it would act upon."""


async def _sent_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """aiohttp sends a GET again whose connection was lost; an error that it does not know keeps it
    from that. What is sent, and how often, is the registrar's to decide and the breaker's to count.

    Raises `_Lost`.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Lost(f"{type(error).__name__}: {error}".rstrip(": ")) from error


def _decode(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return UNDECODABLE
