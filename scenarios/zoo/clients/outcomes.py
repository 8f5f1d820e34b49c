"""Clients that take an answer, or the want of one, for what it is not. One planted bug each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
from correct import (
    Answer,
    Client,
    Said,
    decoded,
    field,
    helper,
    retry_after_s,
)

REFUSED = 422


class FireAndForget(Client):
    """Says "registered" and sends afterwards, once, whatever comes of it."""

    async def register(self, ticket: int, trade: Mapping[str, Any]) -> bool | None:
        payload = self.payload(ticket, trade)
        if payload is not None:
            self.task = asyncio.ensure_future(self.post(payload))
        return True


class UnknownIsFailure(Client):
    """Takes "no answer" for "not registered"."""

    def read(self, answer: Answer, payload: dict[str, Any]) -> Said:
        return Said.REFUSED if answer.status is None else super().read(answer, payload)


class UnknownIsSuccess(Client):
    """Takes "no answer" for "registered": it was sent, after all."""

    async def drive(self, payload: dict[str, Any]) -> bool | None:
        answer = await self.post(payload)
        if answer.status is None and answer.sent:
            return True
        return await super().drive(payload)


class TrustsAny200(Client):
    """Takes every 200 for a success, whatever its body says."""

    def echoes(self, body: Any, payload: dict[str, Any]) -> bool:
        return True


class TrustsAnyEcho(Client):
    """Does not look at which trade a success is about."""

    def same(self, info: Any, payload: dict[str, Any]) -> bool:
        return isinstance(info, dict)


class TruthyIsSuccess(Client):
    """Takes `"false"`, 1 and whatever else is true in Python for a success."""

    def echoes(self, body: Any, payload: dict[str, Any]) -> bool:
        return bool(field(body, "success"))


class ConflictIsSuccess(Client):
    """Takes a 409 for "it is there already"."""

    def read(self, answer: Answer, payload: dict[str, Any]) -> Said:
        return Said.REGISTERED if answer.status == 409 else super().read(answer, payload)


class AlreadyIsFailure(Client):
    """Reports a trade that was registered already as not registered."""

    def read(self, answer: Answer, payload: dict[str, Any]) -> Said:
        if field(answer.body, "already_registered") is True:
            return Said.REFUSED
        return super().read(answer, payload)


class ErrorIsFailure(Client):
    """Takes a 5xx for "not registered", though it may have been."""

    def read(self, answer: Answer, payload: dict[str, Any]) -> Said:
        if answer.status is not None and answer.status >= 500:
            return Said.REFUSED
        return super().read(answer, payload)

    async def look_up(self, payload: dict[str, Any]) -> bool | None:
        return False


class BelievesNotFound(Client):
    """Waits half a second, asks, and takes 404 for good while its request is still under way."""

    async def drive(self, payload: dict[str, Any]) -> bool | None:
        await self.until_ready()
        if self.read(await self.post(payload), payload) is Said.REGISTERED:
            return True
        found = await self.request("GET", f"/dtms/trade/{payload['ticket']}")
        return False if found.status == 404 else await self.look_up(payload)

    def limit(self) -> float | None:
        return 0.5


class PoolTimeoutIsFailure(Client):
    """Has two connections, and takes waiting for one in vain for "not registered"."""

    async def request(self, method: str, path: str, body: Any = None) -> Answer:
        try:
            response = await self.pool().request(method, f"{self.api_url}{path}", json=body)
        except httpx.PoolTimeout:
            return Answer(REFUSED, None)
        except httpx.HTTPError:
            return Answer(None, None)
        return Answer(response.status_code, decoded(response), retry_after_s(response))

    async def until_ready(self) -> None:
        """Does not ask."""

    def pool(self) -> httpx.AsyncClient:
        if not _small:
            _small.append(
                httpx.AsyncClient(
                    verify=False,
                    trust_env=False,
                    limits=httpx.Limits(max_connections=2),
                    timeout=httpx.Timeout(5.0, pool=0.5),
                )
            )
        return _small[0]


_small: list[httpx.AsyncClient] = []

fire_and_forget = helper(FireAndForget)
unknown_is_failure = helper(UnknownIsFailure)
unknown_is_success = helper(UnknownIsSuccess)
trusts_any_200 = helper(TrustsAny200)
trusts_any_echo = helper(TrustsAnyEcho)
truthy_is_success = helper(TruthyIsSuccess)
conflict_is_success = helper(ConflictIsSuccess)
already_is_failure = helper(AlreadyIsFailure)
error_is_failure = helper(ErrorIsFailure)
believes_not_found = helper(BelievesNotFound)
pool_timeout_is_failure = helper(PoolTimeoutIsFailure)
