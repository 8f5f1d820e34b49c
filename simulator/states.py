"""The states a registration can be in, and how it may get from one to another."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """How hard DTMS is defending the trade."""

    HEALTHY = "HEALTHY"
    WARNING_L1 = "WARNING_L1"
    WARNING_L2 = "WARNING_L2"
    HEDGED = "HEDGED"
    RECOVERING = "RECOVERING"
    CLOSED = "CLOSED"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.HEALTHY: frozenset({State.WARNING_L1, State.CLOSED}),
    State.WARNING_L1: frozenset({State.WARNING_L2, State.CLOSED}),
    State.WARNING_L2: frozenset({State.HEDGED, State.CLOSED}),
    State.HEDGED: frozenset({State.RECOVERING, State.CLOSED}),
    State.RECOVERING: frozenset({State.HEALTHY, State.CLOSED}),
    State.CLOSED: frozenset(),
}
"""A closed position never comes back: the broker gives no ticket twice."""


def allowed(before: State, after: State) -> bool:
    """Whether a registration may go from one state straight to the other."""
    return after in TRANSITIONS[before]
