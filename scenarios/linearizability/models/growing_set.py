"""A set that things are added to. It begins empty.

Kinds: `add` (asked: the element), `read` (outcome: a frozenset, all there is).
"""

from __future__ import annotations

from collections.abc import Hashable

from scenarios.linearizability.model import IMPOSSIBLE, UNKNOWN, Impossible, Model, State


def step(state: State, f: str, asked: Hashable, outcome: Hashable) -> State | Impossible:
    """The set after the operation."""
    assert isinstance(state, frozenset)
    if f == "add":
        return state | {asked}
    assert f == "read"
    return state if outcome is UNKNOWN or outcome == state else IMPOSSIBLE


def may_help(_f: str, asked: Hashable, outcome: Hashable) -> bool:
    """What a read does not show cannot have been added before it; nothing is ever taken away."""
    return not isinstance(outcome, frozenset) or asked in outcome


SET = Model("set", frozenset(), step, lambda f, _outcome: f == "read", may_help)
