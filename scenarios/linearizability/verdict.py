"""What linearizability says of a history, as a verdict and in words."""

from __future__ import annotations

from collections.abc import Hashable

from scenarios.evidence.terms import Terms
from scenarios.history import History
from scenarios.linearizability.judge import (
    ENOUGH,
    Budget,
    Exhausted,
    Linearizable,
    NotLinearizable,
    linearize,
)
from scenarios.linearizability.model import UNKNOWN, Operation
from scenarios.linearizability.models import MODELS
from scenarios.linearizability.operations import UnfitHistory, objects_of
from scenarios.linearizability.prefix import Contradiction
from scenarios.verdict import Invalid, Unknown, Valid, Verdict

SHOWN_MAX = 12
"""How many operations of an order are told: the last ones."""
KEYS_SHOWN_MAX = 5


def judge_by(
    model: str, history: History, budget: Budget = ENOUGH
) -> tuple[Verdict, Contradiction | None]:
    """The verdict, and where it is invalid what it rests on. A history that the model cannot tell,
    and one that the budget does not suffice for, is unknown.

    Raises `KeyError` for a model that there is not.
    """
    try:
        objects = objects_of(model, history)
    except UnfitHistory as error:
        return Unknown(str(error)), None
    match linearize(MODELS[model], objects, budget):
        case Linearizable():
            return Valid(), None
        case NotLinearizable(key, contradiction):
            return _invalid(key, contradiction), contradiction
        case Exhausted(keys, steps):
            some = ", ".join(map(_name, keys[:KEYS_SHOWN_MAX]))
            more = f" and {len(keys) - KEYS_SHOWN_MAX} more" if len(keys) > KEYS_SHOWN_MAX else ""
            return Unknown(f"the budget was spent after {steps} steps, on {some}{more}"), None


def _invalid(key: Hashable, contradiction: Contradiction) -> Invalid:
    operation = contradiction.operation
    assert operation.ended is not None
    about = {index for o in contradiction.order or () for index in (o.began, o.ended)}
    evidence = sorted(index for index in about if index is not None and index >= 0)
    named = (operation.began, operation.ended, *reversed(evidence))
    why = (
        f"{_name(key)} has no order once operation {operation.ended} has ended: {_told(operation)}"
    )
    tickets = (key,) if isinstance(key, int) else ()
    return Invalid(why, tuple(dict.fromkeys(i for i in named if i >= 0)), tickets)


def told_order(contradiction: Contradiction) -> list[str]:
    """Lines with an order of what had ended before, SHOWN_MAX of it, and where it leads;
    none where none was found in time."""
    order = contradiction.order
    if order is None:
        return []
    lines = [f"  an order of what had ended before, {len(order)} operations, was"]
    if len(order) > SHOWN_MAX:
        lines.append(f"    ... {len(order) - SHOWN_MAX} before these")
    lines += [f"    {_told(operation)}" for operation in order[-SHOWN_MAX:]]
    return [*lines, f"  which leads to {_plain(contradiction.state)}"]


def _told(operation: Operation) -> str:
    asked = "" if operation.asked is None else f" {_plain(operation.asked)}"
    if operation.outcome is UNKNOWN:
        return f"{operation.f}{asked} (begun at {operation.began}, outcome unknown)"
    return f"{operation.f}{asked} -> {_plain(operation.outcome)}"


def _name(key: Hashable) -> str:
    return "the history" if key is None else str(key)


def _plain(value: object) -> str:
    if value is None:
        return "nil"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, Terms):
        sized = f"{value.symbol} {value.direction} {_plain(value.volume)} at {_plain(value.entry)}"
        return f"{sized} sl {_plain(value.stop_loss)} tp {_plain(value.take_profit)}"
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(_plain, value))) + "}"
    if isinstance(value, tuple):
        return " ".join(_plain(item) for item in value)
    return str(value)
