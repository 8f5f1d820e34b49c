"""A register, without and with compare-and-set. It begins with None.

Kinds: `read` (outcome: the value), `write` (asked: the value), and `cas` (asked: a pair, the value
expected and the new one; outcome: whether it was set).
"""

from __future__ import annotations

from collections.abc import Hashable

from scenarios.linearizability.model import IMPOSSIBLE, UNKNOWN, Impossible, Model, State


def step(state: State, f: str, asked: Hashable, outcome: Hashable) -> State | Impossible:
    """The value after the operation."""
    if f == "read":
        return state if outcome is UNKNOWN or outcome == state else IMPOSSIBLE
    if f == "write":
        return asked
    assert f == "cas"
    assert isinstance(asked, tuple)
    expected, new = asked
    if outcome is UNKNOWN:
        return new if state == expected else state
    if (state == expected) is not outcome:
        return IMPOSSIBLE
    return new if outcome else state


def only_reads(f: str, outcome: Hashable) -> bool:
    """Reads, and a compare-and-set that set nothing."""
    return f == "read" or outcome is False


REGISTER = Model("register", None, step, only_reads)
CAS_REGISTER = Model("cas-register", None, step, only_reads)
