"""The readiness gate: what is known of the server's readiness, and for how long it counts."""

from __future__ import annotations

import math


class ReadinessGate:
    """Remembers a "ready" for `cache_s` seconds; a "not ready" is asked about again at once.

    A registration that the API answers shows it ready as well as its health does.
    """

    def __init__(self, cache_s: float = 1.5) -> None:
        self.reason = ""
        self._cache_s = cache_s
        self._ready_until = -math.inf
        self._refused_at = -math.inf

    def is_fresh(self, now: float) -> bool:
        """Whether the server was ready so lately that nobody need ask."""
        return now < self._ready_until

    def refused_since(self, moment: float) -> bool:
        """Whether a "not ready" came after `moment`: who has waited since then need not ask."""
        return self._refused_at >= moment

    def on_ready(self, now: float) -> None:
        """The server said, or showed, that it is ready."""
        self._ready_until = now + self._cache_s

    def on_refusal(self, now: float, reason: str) -> None:
        """The server said that it is not ready, or said nothing."""
        self._refused_at, self.reason = now, reason
        self.on_trouble()

    def on_trouble(self) -> None:
        """What was known counts no longer."""
        self._ready_until = -math.inf
