"""Plays a case again: the same digest, or the first operation that differs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from scenarios.case import Case
from scenarios.exploration.judged import Judged, judged
from scenarios.history import Op, encode_op


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two histories part. None: that one had ended."""

    index: int
    recorded: Op | None
    now: Op | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it this time; `difference` is None where it went as recorded."""

    judged: Judged
    difference: Difference | None


def replay(case: Case) -> Replayed:
    """Raises what `play` raises."""
    again = judged(case.plan)
    if again.played.history.digest() == case.digest:
        return Replayed(again, None)
    pairs = zip_longest(case.history.ops, again.played.history.ops)
    for index, (recorded, now) in enumerate(pairs):
        if recorded is None or now is None or encode_op(recorded) != encode_op(now):
            return Replayed(again, Difference(index, recorded, now))
    # The recorded history says the same: only its digest was another's.
    return Replayed(again, Difference(len(case.history.ops), None, None))
