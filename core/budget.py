"""The retry budget: a bound on extra traffic, so that a fleet cannot storm a struggling server.

After "Addressing Cascading Failures" in Google's Site Reliability Engineering (2016): a retry may
be sent only while retries are at most a ratio of first sends over the last window.
"""

from __future__ import annotations

from collections import deque

WINDOW_S = 60.0
BUCKET_S = 1.0
"""Counts are kept by the second, so that memory does not grow with traffic."""


class RetryBudget:
    """At most max(`minimum`, `ratio` * first sends) retries in any WINDOW_S seconds."""

    def __init__(self, ratio: float = 0.1, minimum: int = 3) -> None:
        self._ratio = ratio
        self._minimum = minimum
        self._firsts: deque[list[float]] = deque()
        self._retries: deque[list[float]] = deque()

    def on_first_send(self, now: float) -> None:
        """Counts a send that is no retry."""
        _count(self._firsts, now)

    def try_spend(self, now: float) -> bool:
        """Whether one more retry may be sent now; if so it is counted."""
        allowed = max(float(self._minimum), self._ratio * _total(self._firsts, now))
        if _total(self._retries, now, BUCKET_S) + 1 > allowed:
            return False
        _count(self._retries, now)
        return True


def _count(buckets: deque[list[float]], now: float) -> None:
    _forget(buckets, now - WINDOW_S - BUCKET_S)
    start = now - now % BUCKET_S
    if buckets and buckets[-1][0] == start:
        buckets[-1][1] += 1
    else:
        buckets.append([start, 1])


def _total(buckets: deque[list[float]], now: float, beyond_s: float = 0.0) -> float:
    """The bucket that the window's edge cuts counts as a whole or not at all, by `beyond_s`:
    for retries it counts, for first sends it does not, so that the bound is never passed."""
    oldest = now - WINDOW_S - beyond_s
    _forget(buckets, oldest)
    return sum(count for _start, count in buckets)


def _forget(buckets: deque[list[float]], oldest: float) -> None:
    while buckets and buckets[0][0] < oldest:
        buckets.popleft()
