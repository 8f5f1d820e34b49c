"""The readiness gate: what is known of the server's readiness, and for how long it counts."""

from __future__ import annotations


class ReadinessGate:
    """Remembers a "ready" for `cache_s` seconds; a "not ready" is asked about again at once.

    A registration that the API answers shows it ready as well as its health does.
    """

    def __init__(self, cache_s: float = 1.5) -> None:
        self._cache_s = cache_s
        self._ready_until = float("-inf")

    def is_fresh(self, now: float) -> bool:
        """Whether the server was ready so lately that nobody need ask."""
        return now < self._ready_until

    def on_ready(self, now: float) -> None:
        """The server said, or showed, that it is ready."""
        self._ready_until = now + self._cache_s

    def on_trouble(self) -> None:
        """What was known counts no longer."""
        self._ready_until = float("-inf")
