"""One ticket at the DTMS API: absent, registered with data, or closed. It begins absent.

Kinds, and the outcomes that may be told of each:

- `enable`, asked: the data: "new", "already", "accepted" (one of the two, not told which),
  "conflict";
- `lookup`: "absent", or a pair of the data, None where they were not told, and "open" or "closed";
- `close`: "closed", "absent";
- what a server may do by itself, never with an outcome: `restore`, asked: the data, or None for
  any: a recovery finds the position at the broker; `clean-up`: a closed ticket is forgotten;
  `forget`: any is, with a store that cannot be read.

A closed ticket keeps its data; registering it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Hashable

from scenarios.linearizability.model import IMPOSSIBLE, UNKNOWN, Impossible, Model, State

ABSENT, OPEN, CLOSED = "absent", "open", "closed"


def step(state: State, f: str, asked: Hashable, outcome: Hashable) -> State | Impossible:
    """What there is of the ticket after the operation: ABSENT, or its data and OPEN or CLOSED."""
    if f == "enable":
        return _enable(state, asked, outcome)
    if f == "lookup":
        return state if outcome is UNKNOWN or _shows(outcome, state) else IMPOSSIBLE
    if f == "restore":
        return state if _is_closed(state) else (asked, OPEN)
    if f == "clean-up":
        return ABSENT if _is_closed(state) else state
    if f == "forget":
        return ABSENT
    assert f == "close"
    if state == ABSENT:
        return state if outcome in (UNKNOWN, ABSENT) else IMPOSSIBLE
    if outcome == ABSENT:
        return IMPOSSIBLE
    assert isinstance(state, tuple)
    return (state[0], CLOSED)


def _is_closed(state: State) -> bool:
    return isinstance(state, tuple) and state[1] == CLOSED


def _enable(state: State, asked: Hashable, outcome: Hashable) -> State | Impossible:
    if state == ABSENT:
        return (asked, OPEN) if outcome in (UNKNOWN, "new", "accepted") else IMPOSSIBLE
    assert isinstance(state, tuple)
    may_be_same, may_differ = state[0] in (asked, None), state[0] != asked
    if outcome is UNKNOWN or (outcome in ("already", "accepted") and may_be_same):
        return state
    return state if outcome == "conflict" and may_differ else IMPOSSIBLE


def _shows(outcome: Hashable, state: State) -> bool:
    if outcome == ABSENT or state == ABSENT:
        return outcome == state
    assert isinstance(outcome, tuple)
    assert isinstance(state, tuple)
    return outcome[1] == state[1] and (None in (outcome[0], state[0]) or outcome[0] == state[0])


def only_reads(f: str, outcome: Hashable) -> bool:
    """Look-ups, and requests that were answered by what there was."""
    return f == "lookup" or outcome in ("already", "conflict", ABSENT)


REGISTRATION = Model("registration", ABSENT, step, only_reads)
