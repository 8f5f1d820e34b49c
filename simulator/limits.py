"""Rate limits per client: a token bucket for each address."""

from __future__ import annotations

from collections import OrderedDict

REGISTRATIONS_PER_S = 10.0
QUERIES_PER_S = 30.0
CLIENTS_MAX = 10_000
"""How many addresses are remembered; the one that has been silent longest is forgotten."""


class RateLimit:
    """At most `per_s` requests a second for each client, and as many at once."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str, now: float) -> float:
        """0 where the request may pass, and is counted; else in how many seconds it may."""
        tokens, since = self._buckets.get(client, (self._per_s, now))
        tokens = min(self._per_s, tokens + (now - since) * self._per_s)
        passes = tokens >= 1.0
        self._buckets[client] = (tokens - 1.0 if passes else tokens, now)
        self._buckets.move_to_end(client)
        while len(self._buckets) > CLIENTS_MAX:
            self._buckets.popitem(last=False)
        return 0.0 if passes else (1.0 - tokens) / self._per_s
