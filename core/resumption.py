"""Goes on with pending intents: after a crash, after an outage, until none is left.

Slow start: one intent first; while they succeed the window doubles, up to what the pool carries;
a failure brings it back to one. So a server that has just come back meets no storm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import islice

from core.clock import Clock
from core.outbox import Intent
from core.outcome import Outcome
from core.retry import RetryPolicy, backoff_s

WINDOW_MIN = 1


@dataclass(slots=True)
class Window:
    """How many intents may be driven at once: doubled by success, one after a failure."""

    limit: int
    size: int = WINDOW_MIN

    def after(self, all_succeeded: bool) -> None:
        """Takes notice of a round."""
        self.size = min(self.limit, self.size * 2) if all_succeeded else WINDOW_MIN


class Spacing:
    """When each intent may be driven again: exponential back-off with full jitter, by ticket."""

    def __init__(self, policy: RetryPolicy, draw: Callable[[], float]) -> None:
        self._policy = policy
        self._draw = draw
        self._failures: dict[int, int] = {}
        self._not_before: dict[int, float] = {}

    def is_due(self, ticket: int, now: float) -> bool:
        """Whether the ticket has waited long enough."""
        return now >= self._not_before.get(ticket, float("-inf"))

    def on_failure(self, ticket: int, now: float, at_least_s: float = 0.0) -> None:
        """The ticket is pending still; the next wait may be twice as long, and is never shorter
        than the API asked for."""
        failures = self._failures[ticket] = self._failures.get(ticket, 0) + 1
        wait_s = backoff_s(self._policy, failures, self._draw())
        self._not_before[ticket] = now + max(wait_s, at_least_s)

    def forget(self, ticket: int) -> None:
        """The ticket came to its end."""
        self._failures.pop(ticket, None)
        self._not_before.pop(ticket, None)


class Resumption:
    """Every `interval_s`, and at once when woken: drives what is due.

    `due` names the pending intents that nobody drives; `ready` tells whether the API would take
    them; `drive` tells how far an intent has come; `spacing` knows which must wait.
    """

    def __init__(
        self,
        *,
        due: Callable[[], tuple[Intent, ...]],
        ready: Callable[[], Awaitable[bool]],
        drive: Callable[[Intent], Awaitable[Outcome]],
        spacing: Spacing,
        interval_s: float,
        window_max: int,
        clock: Clock,
    ) -> None:
        self._due = due
        self._ready = ready
        self._drive = drive
        self._interval_s = interval_s
        self._clock = clock
        self._window = Window(window_max)
        self._spacing = spacing

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            while await self._round():
                pass
            await self._clock.sleep(self._interval_s)

    async def _round(self) -> bool:
        """Drives a window of due intents; whether all of them came to their end."""
        pending = self._due()
        now = self._clock.monotonic()
        waited = (intent for intent in pending if self._spacing.is_due(intent.ticket, now))
        chosen = list(islice(waited, self._window.size))
        if not chosen or not await self._ready():
            return False
        outcomes = await asyncio.gather(*(self._drive(intent) for intent in chosen))
        all_ended = all(outcome.final for outcome in outcomes)
        self._window.after(all_ended)
        return all_ended
