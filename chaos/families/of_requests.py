"""Trouble with single requests to the server and the answers to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaos.capabilities import Requests
from chaos.dice import Dice
from chaos.families.family import Cast, Family
from chaos.fault import Fault
from chaos.faults import (
    AnswerFor,
    DelayAttempt,
    DropAnswer,
    DropRequest,
    DuplicateRequest,
    FailFirst,
    Garbage,
    Trickle,
    Truncate,
    WrongEcho,
)
from chaos.faults.garbage import RUBBISH
from chaos.request import Op
from chaos.schedule import Scheduled
from chaos.verdict import Silence

LATE_S_MAX = 1.0
"""How late a request or an answer may come."""
TRICKLE_S_MAX = 2.0
COPIES_MAX = 3
FAILED_MAX = 2
"""How many attempts of each ticket may be answered with an error."""
RETRY_AFTER_S = 1

OPS_HIT: tuple[Op, ...] = ("enable", "enable", "any", "lookup", "health")
"""Registrations are hit as often as everything else."""
ATTEMPTS = (None, None, 0, 1)
PROBABILITIES = (0.2, 0.5, 1.0)
SILENCES: tuple[Silence, ...] = ("reset", "close", "hang")
STATUSES = (503, 500, 502, 504, 429)
QUOTED = ("ticket", "symbol", "volume", "entry_price")

Told = Callable[[Dice], dict[str, Any]]
"""What a fault says beside which requests it is meant for."""


def _family(kind: Callable[..., Fault], told: Told) -> Family:
    """Requests on one link to the server or on all of them suffer this for some while."""

    def make(link: str, dice: Dice) -> Scheduled:
        aim: dict[str, Any] = {
            "op": dice.one_of("op", OPS_HIT),
            "attempt": dice.one_of("attempt", ATTEMPTS),
            "probability": dice.one_of("probability", PROBABILITIES),
        }
        return dice.window(kind(link, **aim, **told(dice)))

    return Family(frozenset({Requests}), Cast.server_links, make)


def _silence(dice: Dice) -> dict[str, Any]:
    return {"how": dice.one_of("how", SILENCES)}


def _error(dice: Dice) -> dict[str, Any]:
    waits = dice.chance("retry after", 0.5)
    return {
        "status": dice.one_of("status", STATUSES),
        "retry_after_s": RETRY_AFTER_S if waits else None,
    }


def _copies(dice: Dice) -> dict[str, Any]:
    return {
        "copies": dice.whole("copies", 2, COPIES_MAX),
        "gap_s": dice.low_number("gap", 0.0, LATE_S_MAX),
    }


def _delay(dice: Dice) -> dict[str, Any]:
    return {
        "delay_s": dice.number("delay", 0.01, LATE_S_MAX),
        "part": dice.one_of("part", ("request", "answer")),
    }


OF_REQUESTS = {
    "drop-request": _family(DropRequest, _silence),
    "drop-answer": _family(DropAnswer, _silence),
    "duplicate-request": _family(DuplicateRequest, _copies),
    "delay": _family(DelayAttempt, _delay),
    "answer-for": _family(AnswerFor, _error),
    "fail-first": _family(
        FailFirst, lambda dice: {**_error(dice), "first": dice.whole("first", 1, FAILED_MAX)}
    ),
    "garbage": _family(Garbage, lambda dice: {"kind": dice.one_of("kind", tuple(RUBBISH))}),
    "truncate": _family(Truncate, lambda dice: {"kept": dice.number("kept", 0.0, 1.0)}),
    "wrong-echo": _family(WrongEcho, lambda dice: {"field": dice.one_of("field", QUOTED)}),
    "trickle": _family(Trickle, lambda dice: {"over_s": dice.number("over", 0.1, TRICKLE_S_MAX)}),
}
