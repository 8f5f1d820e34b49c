"""Clients that try again when they must not, or not as they must. One planted bug each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from correct import Answer, Client, Said, helper


class NoBackOff(Client):
    """Tries again at once."""

    def pause_s(self, attempt: int, answer: Answer | None) -> float:
        return 0.0

    async def drive(self, payload: dict[str, Any]) -> bool | None:
        for _attempt in range(self.retries + 1):
            if self.read(await self.post(payload), payload) is Said.REGISTERED:
                return True
        return await self.look_up(payload)


class RefusalsRetried(Client):
    """Tries again after a definite refusal."""

    def read(self, answer: Answer, payload: dict[str, Any]) -> Said:
        said = super().read(answer, payload)
        return Said.UNDONE if said is Said.REFUSED else said


class RetryAfterIgnored(Client):
    """Does not wait for as long as the server asked."""

    def pause_s(self, attempt: int, answer: Answer | None) -> float:
        return super().pause_s(attempt, None)


class OneAttempt(Client):
    """Gives up at the first error that has a status."""

    async def drive(self, payload: dict[str, Any]) -> bool | None:
        await self.until_ready()
        answer = await self.post(payload)
        if answer.status is not None and answer.status >= 429:
            return None
        return await super().drive(payload)


class GivesUpSoon(Client):
    """Has no patience: three attempts within a tenth of a second."""

    def pause_s(self, attempt: int, answer: Answer | None) -> float:
        return 0.04

    async def drive(self, payload: dict[str, Any]) -> bool | None:
        for attempt in range(3):
            await asyncio.sleep(self.pause_s(attempt, None))
            if self.read(await self.post(payload), payload) is Said.REGISTERED:
                return True
        return None


class MoreThanAsked(Client):
    """Takes the number of retries for a suggestion."""

    def __init__(self, api_url: str, retries: int, timeout_s: float) -> None:
        super().__init__(api_url, 4 * retries, timeout_s)


class NoDeadline(Client):
    """Has a bound for each attempt and none for all of them."""

    def deadline_s(self) -> float | None:
        return None


class TimeoutIgnored(Client):
    """Waits for an answer for as long as it takes."""

    def limit(self) -> float | None:
        return None

    def deadline_s(self) -> float | None:
        return None


class OneAtATime(Client):
    """Holds a lock across the network: one trade that hangs holds up all others."""

    def deadline_s(self) -> float | None:
        return None

    async def drive(self, payload: dict[str, Any]) -> bool | None:
        async with _lock:
            try:
                async with asyncio.timeout(super().deadline_s()):
                    return await super().drive(payload)
            except TimeoutError:
                return None


class RaisesIntoTheCaller(Client):
    """Lets a refused connection out as an exception."""

    async def register(self, ticket: int, trade: Mapping[str, Any]) -> bool | None:
        payload = self.payload(ticket, trade)
        assert payload is not None
        answer = await self.post(payload)
        if answer.status is None:
            raise ConnectionError(f"no answer from {self.api_url}")
        return await super().register(ticket, trade)


_lock = asyncio.Lock()

no_back_off = helper(NoBackOff)
refusals_retried = helper(RefusalsRetried)
retry_after_ignored = helper(RetryAfterIgnored)
one_attempt = helper(OneAttempt)
gives_up_soon = helper(GivesUpSoon)
more_than_asked = helper(MoreThanAsked)
no_deadline = helper(NoDeadline)
timeout_ignored = helper(TimeoutIgnored)
one_at_a_time = helper(OneAtATime)
raises_into_the_caller = helper(RaisesIntoTheCaller)
