"""Time, as a thing that is handed in."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Two clocks that need not agree: one for durations, one for dates."""

    def monotonic(self) -> float:
        """Seconds; never goes back."""
        ...

    def now(self) -> datetime:
        """The date and time, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Comes back after that time."""
        ...
