"""Checker: a second instance exits."""

from __future__ import annotations

from scenarios.evidence.actors import SERVER, ended_by_lab, told
from scenarios.evidence.reading import integer, text
from scenarios.history import History, Op
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude

PREFIX = f"{SERVER}-"
"""A further instance of the server is an actor of its own, such as `dtms-second`."""


def second_instance_exits(history: History) -> Verdict:
    """A further server on a busy port ends by itself, with an exit status that tells of failure,
    and the first goes on.

    Where the first was not ready, or the lab ended it meanwhile, the port was not busy. Does not
    check: whether it touched the store on the way (what is kept shows that)."""
    started = [op for op in history.notes("start", "world") if _actor(op).startswith(PREFIX)]
    if not started:
        return Unknown("no second instance was started")
    return conclude(_judge(history, start) for start in started)


def _judge(history: History, start: Op) -> Verdict:
    verdict = _as_if_busy(history, start)
    if isinstance(verdict, Invalid) and not _busy(history, start):
        return Unknown(f"the first did not hold the port while {_actor(start)} came")
    return verdict


def _busy(history: History, start: Op) -> bool:
    """Whether the first held the port from the start of the second to its end, but for what the
    second did to it."""
    exits = told(history, "exited", SERVER)
    changes = sorted((*told(history, "ready", SERVER), *exits), key=lambda op: op.index)
    before = [op.f for op in changes if op.index < start.index]
    if before[-1:] != ["ready"]:
        return False
    ended = [op for op in history.notes("exited", "world") if _actor(op) == _actor(start)]
    last = next((op.index for op in ended if op.index > start.index), history.ops[-1].index)
    meanwhile = [op for op in exits if start.index < op.index <= last]
    return not any(ended_by_lab(history, op, SERVER) for op in meanwhile[:1])


def _as_if_busy(history: History, start: Op) -> Verdict:
    actor = _actor(start)
    after = [op for op in history.ops[_place(history, start) :] if op.process == "world"]
    exit_ = next((op for op in after if op.f == "exited" and _actor(op) == actor), None)
    if exit_ is None:
        return Invalid(f"{actor} went on beside the first", (start.index,))
    meanwhile = [op for op in after if op.index < exit_.index]
    if any(op.f in ("kill", "stop") and _actor(op) == actor for op in meanwhile):
        return Invalid(f"{actor} had to be ended", (start.index, exit_.index))
    if any(op.f == "exited" and _actor(op) == SERVER for op in meanwhile):
        return Invalid(f"{actor} ended the first", (start.index, exit_.index))
    status = integer(exit_.get("exit_status"))
    if status is None:
        return Unknown(f"how {actor} ended was not recorded")
    if status == 0:
        return Invalid(f"{actor} ended as if all were well", (start.index, exit_.index))
    return Valid()


def _actor(op: Op) -> str:
    return text(op.get("actor")) or ""


def _place(history: History, wanted: Op) -> int:
    return next(place for place, op in enumerate(history.ops) if op is wanted)
