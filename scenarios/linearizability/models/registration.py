"""One ticket at the DTMS API: absent, registered with data, or closed. It begins absent.

Kinds, and the outcomes that may be told of each:

- `enable`, asked: the data: "new", "already", "accepted" (one of the two, not told which),
  "conflict";
- `lookup`: "absent", or a pair of the data, None where they were not told, and "open" or "closed";
- `close`: "closed", "absent";
- `restore`, asked: the data, never with an outcome: what a recovery may do with a position that it
  finds at the broker.

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
        return (asked, OPEN) if not _is_closed(state) else state
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
    allowed = (UNKNOWN, "already", "accepted") if state[0] == asked else (UNKNOWN, "conflict")
    return state if outcome in allowed else IMPOSSIBLE


def _shows(outcome: Hashable, state: State) -> bool:
    if outcome == ABSENT or state == ABSENT:
        return outcome == state
    assert isinstance(outcome, tuple)
    assert isinstance(state, tuple)
    return outcome[1] == state[1] and (outcome[0] is None or outcome[0] == state[0])


def only_reads(f: str, outcome: Hashable) -> bool:
    """Look-ups, and requests that were answered by what there was."""
    return f == "lookup" or outcome in ("already", "conflict", ABSENT)


REGISTRATION = Model("registration", ABSENT, step, only_reads)
