"""A correct client, written from the contract alone: it shares nothing with the core.

What a client of the level `helper` owes: it rides out outages of some seconds, gives up in time,
and says False only of what is certainly not registered. Each step is a method, so that a bug can be
planted by exchanging one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import httpx

BASE_S, FACTOR, CAP_S = 1.0, 2.0, 30.0
DEADLINE_S = 90.0
"""Of a whole registration; what is not known by then is told as not known."""
RIDDEN_OUT_S = 6.0
"""The last attempt comes no sooner after the first: shorter outages must not cost a trade, however
the jitter falls."""
POLL_S = 0.5
"""Between two looks at the health of a server that is not ready."""
CONFLICT = 409
RETRYABLE = frozenset({408, 425, 429})
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""What is raised before the first byte is on its way."""

Helper = Callable[..., Awaitable[bool | None]]


class Said(Enum):
    """What an answer means for a registration."""

    REGISTERED = "registered"
    REFUSED = "refused"
    """For good."""
    UNDONE = "undone"
    """Nothing was done; another try may do it."""
    UNKNOWN = "unknown"
    """It may have been done."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is None where it was no JSON. `sent` says whether the request may have arrived."""

    status: int | None
    body: Any
    retry_after_s: float | None = None
    sent: bool = True


_pools: dict[str, httpx.AsyncClient] = {}


class Client:
    """One registration. `retries` come after the first attempt; times in seconds."""

    def __init__(self, api_url: str, retries: int, timeout_s: float) -> None:
        self.api_url = api_url
        self.retries = retries
        self.timeout_s = timeout_s

    async def register(self, ticket: int, trade: Mapping[str, Any]) -> bool | None:
        """True: registered; False: certainly not; None: not known."""
        payload = self.payload(ticket, trade)
        if payload is None:
            return False
        try:
            async with asyncio.timeout(self.deadline_s()):
                return await self.drive(payload)
        except TimeoutError:
            return None

    async def drive(self, payload: dict[str, Any]) -> bool | None:
        """Sends until it is known, or there is no attempt left."""
        in_doubt, answer, now = False, None, asyncio.get_running_loop().time
        began = now()
        for attempt in range(self.retries + 1):
            if attempt:
                left_s = RIDDEN_OUT_S - (now() - began) if attempt == self.retries else 0.0
                await asyncio.sleep(max(left_s, self.pause_s(attempt, answer)))
            await self.until_ready()
            answer = await self.post(payload)
            said = self.read(answer, payload)
            if said is Said.REGISTERED:
                return True
            if said is Said.REFUSED:
                # A conflict is certain, whatever was lost before: something else is registered.
                in_doubt = in_doubt and answer.status != CONFLICT
                return await self.look_up(payload) if in_doubt else False
            in_doubt = in_doubt or said is Said.UNKNOWN
        return await self.look_up(payload)

    def payload(self, ticket: int, trade: Mapping[str, Any]) -> dict[str, Any] | None:
        """As the wire names it; None for a trade that lacks something."""
        details = trade.get("details")
        inner: Mapping[str, Any] = details if isinstance(details, Mapping) else {}

        def first(*names: str) -> Any:
            for name in names:
                for given in (trade, inner):
                    if given.get(name) is not None:
                        return given[name]
            return None

        payload = {
            "ticket": ticket,
            "symbol": first("symbol"),
            "direction": str(first("direction") or "").upper(),
            "entry": first("entry_price", "price_executed", "price"),
            "volume": first("volume", "lot"),
            "stop_loss": first("stop_loss", "sl", "final_sl"),
            "take_profit": first("take_profit", "tp", "final_tp"),
        }
        optional = ("stop_loss", "take_profit")
        if any(value in (None, "") for name, value in payload.items() if name not in optional):
            return None
        return payload

    def deadline_s(self) -> float | None:
        return DEADLINE_S

    def pause_s(self, attempt: int, answer: Answer | None) -> float:
        """Exponential, with full jitter, and never before the server asked for."""
        asked_s = answer.retry_after_s if answer is not None else None
        if asked_s is not None:
            return asked_s + random.uniform(0, BASE_S)
        return random.uniform(0, min(CAP_S, BASE_S * FACTOR ** (attempt - 1)))

    async def until_ready(self) -> None:
        """Uses up time, no attempts."""
        while True:
            answer = await self.request("GET", "/dtms/health")
            if answer.status == 200 and field(answer.body, "ready") is True:
                return
            await asyncio.sleep(max(POLL_S, answer.retry_after_s or 0.0))

    async def post(self, payload: dict[str, Any]) -> Answer:
        return await self.request("POST", "/dtms/trade/enable", payload)

    def read(self, answer: Answer, payload: dict[str, Any]) -> Said:
        """What the answer to a registration means."""
        status = answer.status
        if status is None:
            return Said.UNKNOWN if answer.sent else Said.UNDONE
        if status == 200:
            return Said.REGISTERED if self.echoes(answer.body, payload) else Said.UNKNOWN
        if status in RETRYABLE:
            return Said.UNDONE
        if 400 <= status < 500:
            return Said.REFUSED
        return Said.UNKNOWN

    def echoes(self, body: Any, payload: dict[str, Any]) -> bool:
        """Whether it is a success, and about this trade."""
        return field(body, "success") is True and self.same(field(body, "trade_info"), payload)

    def same(self, info: Any, payload: dict[str, Any]) -> bool:
        if not isinstance(info, dict):
            return False
        names = {name: name for name in payload} | {"entry": "entry_price"}
        return all(info.get(names[name]) == value for name, value in payload.items())

    async def look_up(self, payload: dict[str, Any]) -> bool | None:
        """Reads back. What is not there may still be under way, so "no" is never certain."""
        answer = await self.request("GET", f"/dtms/trade/{payload['ticket']}")
        there = answer.status == 200 and self.echoes(answer.body, payload)
        return True if there and field(answer.body, "state") != "CLOSED" else None

    async def request(self, method: str, path: str, body: Any = None) -> Answer:
        """Never raises for what a network or a server can do."""
        try:
            response = await self.pool().request(
                method, f"{self.api_url}{path}", json=body, timeout=self.limit()
            )
        except NOT_SENT:
            return Answer(None, None, sent=False)
        except httpx.HTTPError:
            return Answer(None, None)
        return Answer(response.status_code, decoded(response), retry_after_s(response))

    def limit(self) -> float | None:
        return self.timeout_s

    def pool(self) -> httpx.AsyncClient:
        """One for each process."""
        if self.api_url not in _pools:
            limits = httpx.Limits(max_connections=10, max_keepalive_connections=5)
            _pools[self.api_url] = httpx.AsyncClient(verify=False, limits=limits, trust_env=False)
        return _pools[self.api_url]


def field(body: Any, name: str) -> Any:
    """None where the body is no object, or has no such field."""
    return body.get(name) if isinstance(body, dict) else None


def decoded(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def retry_after_s(response: httpx.Response) -> float | None:
    """Only as seconds: that is how this API asks."""
    word = response.headers.get("retry-after", "")
    return float(word) if word.isdecimal() else None


def helper(kind: type[Client]) -> Helper:
    """The function that services call, with the signature of the contract."""

    async def register_trade(
        ticket: int,
        trade_data: Mapping[str, Any],
        retry_count: int = 3,
        timeout: float = 5.0,
        api_url: str = "http://127.0.0.1:8001",
    ) -> bool | None:
        return await kind(api_url, retry_count, timeout).register(ticket, trade_data)

    return register_trade


register_trade = helper(Client)
