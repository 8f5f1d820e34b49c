"""Checker: comes back ready."""

from __future__ import annotations

from scenarios.evidence.reading import text
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude


def comes_back_ready(history: History) -> Verdict:
    """When the last fault is healed, the server and every service come up, or stay up, and are
    ready within the time that anybody is given to start.

    Does not check: how long a start takes under faults, nor what anybody does once it is ready."""
    if history.phase("healed") is None:
        return Unknown("the history does not say when faults were healed")
    late = history.notes("not-ready", "world")
    whys = (f"after healing {text(op.get('why')) or 'somebody was not ready'}" for op in late)
    return conclude(
        [Valid(), *(Invalid(why, (op.index,)) for why, op in zip(whys, late, strict=True))]
    )
