"""The clocks of an episode: the loop's virtual time, and dates that follow it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
"""When every episode begins: a Monday morning."""


class SimClock:
    """A `core.clock.Clock` in virtual time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.monotonic = loop.time
        self.sleep = asyncio.sleep

    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.monotonic())
