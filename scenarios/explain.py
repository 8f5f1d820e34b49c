"""A verdict in words, with the operations that show it: times in seconds, oldest first."""

from __future__ import annotations

import json

from scenarios.history import History, Op
from scenarios.verdict import Verdict

OPERATIONS_MAX = 16
"""How many operations are shown: the first that the checker named, of the first violation."""
GIVEN = ("payload", "trade")
"""What somebody was given; it is known, or stands in the history."""
VALUE_CHARACTERS_MAX = 120
GIVEN_CHARACTERS_MAX = 60
LINE_CHARACTERS_MAX = 220


def explain(name: str, verdict: Verdict, history: History) -> str:
    """One line with the verdict, then what it rests on: its evidence, or where it names none, what
    happened to its tickets. Of what was read about many tickets only these are shown."""
    first = f"{type(verdict).__name__.upper()} {name}"
    why = " ".join(verdict.why.split())
    tickets = frozenset(str(ticket) for ticket in getattr(verdict, "tickets", ()))
    relevant = _relevant(verdict, history)
    lines = [f"{first}: {why}" if why else first]
    lines += [_line(op, tickets) for op in relevant[:OPERATIONS_MAX]]
    if len(relevant) > OPERATIONS_MAX:
        lines.append(f"   ... {len(relevant) - OPERATIONS_MAX} more operations")
    return "\n".join(lines)


def tell(history: History, operations_max: int = OPERATIONS_MAX) -> str:
    """The history's operations, a line each: the last ones, where there are more."""
    lines = [_line(op, frozenset()) for op in history.ops[-operations_max:]]
    left_out = len(history.ops) - len(lines)
    return "\n".join([*([f"   ... {left_out} operations before"] if left_out else []), *lines])


def _relevant(verdict: Verdict, history: History) -> list[Op]:
    """What the checker named, the earliest named OPERATIONS_MAX first and in their order."""
    evidence = getattr(verdict, "evidence", ())
    if not evidence:
        tickets = set(getattr(verdict, "tickets", ()))
        return [op for op in history.ops if tickets and op.ticket in tickets]
    first, others = set(evidence[:OPERATIONS_MAX]), set(evidence[OPERATIONS_MAX:])
    shown = [op for op in history.ops if op.index in first]
    return shown + [op for op in history.ops if op.index in others - first]


def _line(op: Op, tickets: frozenset[str]) -> str:
    """One operation: time, process, type, f, ticket, the rest of the value, error."""
    words = [f"{op.time_us / 1e6:8.3f}s", f"{op.process:<10}", f"{op.type:<6}", op.f]
    if op.ticket is not None:
        words.append(str(op.ticket))
    if told := _value(op.value, tickets):
        words.append(told)
    if op.error:
        words.append(f"({_short(op.error)})")
    return _short(" ".join(words).replace("\n", " "), LINE_CHARACTERS_MAX)


def _value(value: object, tickets: frozenset[str]) -> str:
    if not isinstance(value, dict):
        return "" if value is None else _short(_plain(value))
    told = {name: held for name, held in value.items() if name in tickets} or _telling(value)
    return " ".join(f"{name}={_short(_plain(held), _room(name))}" for name, held in told.items())


def _room(name: str) -> int:
    return GIVEN_CHARACTERS_MAX if name in GIVEN else VALUE_CHARACTERS_MAX


def _telling(value: dict[str, object]) -> dict[str, object]:
    """What of a value says something: nothing that is empty, or said already; what was given last,
    for the answer to it is what one looks for."""
    told = {n: held for n, held in value.items() if n != "ticket" and held not in (None, "")}
    for name in ("status", "body"):
        if name in told and told[name] == told.get(f"server_{name}"):
            del told[name]
    link = told.get("link")
    if isinstance(link, str) and link.partition("->")[0] == told.get("service"):
        del told["service"]
    given = {name: told.pop(name) for name in GIVEN if name in told}
    return told | given


def _plain(value: object) -> str:
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        # An error body: its sentence says more than the rest.
        return f"{value.get('error', '')}: {value['message']}"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _short(words: str, characters_max: int = VALUE_CHARACTERS_MAX) -> str:
    if len(words) <= characters_max:
        return words
    return words[: characters_max - 3] + "..."
