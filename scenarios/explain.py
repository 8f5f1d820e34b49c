"""A verdict in words, with the operations that show it: times in seconds, oldest first."""

from __future__ import annotations

import json

from scenarios.history import History, Op
from scenarios.verdict import Verdict

OPERATIONS_MAX = 16
"""How many operations are shown; the first and the last of them where there are more."""
VALUE_CHARACTERS_MAX = 100


def explain(name: str, verdict: Verdict, history: History) -> str:
    """One line with the verdict, then what it rests on: its evidence, or where it names none, what
    happened to its tickets."""
    first = f"{type(verdict).__name__.upper()} {name}"
    why = " ".join(verdict.why.split())
    return "\n".join([f"{first}: {why}" if why else first, *_lines(_relevant(verdict, history))])


def _relevant(verdict: Verdict, history: History) -> list[Op]:
    evidence = set(getattr(verdict, "evidence", ()))
    if evidence:
        return [op for op in history.ops if op.index in evidence]
    tickets = set(getattr(verdict, "tickets", ()))
    return [op for op in history.ops if tickets and op.ticket in tickets]


def _lines(ops: list[Op]) -> list[str]:
    if len(ops) <= OPERATIONS_MAX:
        return [line(op) for op in ops]
    half = OPERATIONS_MAX // 2
    gap = f"   ... {len(ops) - 2 * half} more operations"
    return [*(line(op) for op in ops[:half]), gap, *(line(op) for op in ops[-half:])]


def line(op: Op) -> str:
    """One operation: time, process, type, f, ticket, the rest of the value, error."""
    words = [f"{op.time_us / 1e6:8.3f}s", f"{op.process:<10}", f"{op.type:<6}", op.f]
    if op.ticket is not None:
        words.append(str(op.ticket))
    if told := _value(op):
        words.append(told)
    if op.error:
        words.append(f"({_short(op.error)})")
    return " ".join(words).replace("\n", " ")


def _value(op: Op) -> str:
    value = op.value
    if isinstance(value, dict):
        value = {
            name: held for name, held in value.items() if name != "ticket" and held is not None
        }
        return " ".join(f"{name}={_short(_plain(held))}" for name, held in value.items())
    return "" if value is None else _short(_plain(value))


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _short(words: str) -> str:
    if len(words) <= VALUE_CHARACTERS_MAX:
        return words
    return words[: VALUE_CHARACTERS_MAX - 3] + "..."
