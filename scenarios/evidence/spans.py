"""Stretches of a history between an invocation and its completion, counted quickly."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from scenarios.history import Call


class Spans:
    """Several calls, and how many of them were open when. One that never ended is open for good."""

    def __init__(self, calls: Iterable[Call]) -> None:
        known = tuple(calls)
        self.begins = sorted(call.invoke.index for call in known)
        self.ends = sorted(call.completion.index for call in known if call.completion is not None)

    def open_between(self, first: int, last: int) -> int:
        """How many were open at some moment between two indices, the first not after the last."""
        return bisect_left(self.begins, last) - bisect_right(self.ends, first)

    def any_open_at(self, index: int) -> bool:
        """Whether one was open when the operation with this index was recorded."""
        return self.open_between(index, index) > 0

    def begun_between(self, first: int, last: int) -> int:
        """How many began after one index and before another."""
        return max(0, bisect_left(self.begins, last) - bisect_right(self.begins, first))
