"""Checker: health tells the truth."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from scenarios.evidence.actors import SERVER, Down, down
from scenarios.evidence.exchange import Exchange, exchanges
from scenarios.evidence.reading import integer, mapping, text
from scenarios.history import Call, History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude

STATUSES = frozenset({200, 500, 503})
THROTTLED = 429
MUST_BE_TRUE = ("ready", "dtms_initialized", "dtms_available", "monitoring_active")
NOT_READY = frozenset(
    {"not_ready", "not_initialized", "not_initialised", "starting", "shutting_down"}
)
"""Error codes with which a server turns registrations away because it is not ready."""
STEADY_S_MAX = 1.0
"""Two answers this close together, and alike, speak for the time between them."""


def health_tells_the_truth(history: History) -> Verdict:
    """A health answer is right about the server: 200 and `ready` true go together, nobody answers
    while the server is down, and a server that says ready does not turn registrations away as not
    ready.

    Does not check: how soon a change shows, nor what faults made of an answer on its way."""
    answers = sorted(_answers(history), key=lambda answer: answer.call.invoke.index)
    if not answers:
        return Unknown("no health answer was recorded")
    findings: list[Verdict] = [Valid()]
    findings += [
        Invalid(why, answer.call.indices)
        for answer in answers
        if (why := _contradiction(answer)) is not None
    ]
    findings += _while_down(down(history, SERVER), answers)
    findings += _turned_away(history, answers)
    return conclude(findings)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A health answer as the server gave it."""

    call: Call
    status: int
    body: object

    @property
    def ready(self) -> bool:
        return self.status == 200 and mapping(self.body).get("ready") is True


def _answers(history: History) -> Iterator[_Answer]:
    for call in history.calls("health", service="auditor"):
        status = integer(call.get("status_code"))
        if call.ended == "ok" and status is not None:
            body = call.get("body")
            if body is None and call.get("ready") is not None:
                body = {"ready": call.get("ready")}
            yield _Answer(call, status, body)
    for exchange in exchanges(history, "health"):
        if exchange.server is not None:
            yield _Answer(exchange.call, exchange.server.status, exchange.server.body)


def _contradiction(answer: _Answer) -> str | None:
    """What the answer says against itself."""
    status, body = answer.status, mapping(answer.body)
    if status == THROTTLED:
        return None
    if status not in STATUSES:
        return f"health answered {status}"
    if not isinstance(answer.body, dict):
        return f"health answered {status} without an object"
    word = (text(body.get("status")) or "").lower()
    if status == 200:
        missing = "ready" not in body and word != "healthy"
        wrong = next((n for n in MUST_BE_TRUE if n in body and body[n] is not True), None)
        if missing or wrong is not None:
            name = wrong or "ready"
            return f"health answered 200 with {name} {_json(body.get(name))}"
        if word in ("unhealthy", "degraded"):
            return f"health answered 200 with status {word}"
    elif body.get("ready") is True:
        return f"health answered {status} with ready true"
    elif word == "healthy":
        return f"health answered {status} with status healthy"
    return None


def _json(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case _:
            return repr(value)


def _while_down(stretches: tuple[Down, ...], answers: list[_Answer]) -> Iterator[Verdict]:
    for answer in answers:
        completion = answer.call.completion
        for stretch in stretches:
            if completion is not None and stretch.covers(answer.call.invoke, completion):
                why = f"health answered {answer.status} while the server was down"
                yield Invalid(why, (stretch.after.index, *answer.call.indices))


def _turned_away(history: History, answers: list[_Answer]) -> Iterator[Verdict]:
    """Registrations turned away as not ready between two answers that said ready."""
    answers = [answer for answer in answers if answer.call.completion is not None]
    begun = [answer.call.invoke.index for answer in answers]
    ended = sorted(range(len(answers)), key=lambda n: _end(answers[n]))
    ended_at = [_end(answers[n]) for n in ended]
    changes = [op.index for op in history.ops if op.process in ("world", "nemesis")]
    for send in exchanges(history, "enable"):
        if not _says_not_ready(send) or send.ended is None:
            continue
        before, after = bisect_left(ended_at, send.begun) - 1, bisect_right(begun, send.ended)
        if before < 0 or after >= len(answers):
            continue
        first, last = answers[ended[before]], answers[after]
        quiet = bisect_right(changes, _end(last)) == bisect_left(changes, first.call.invoke.index)
        if first.ready and last.ready and quiet and _span_s(first, last) <= STEADY_S_MAX:
            why = f"health said ready while {send.ticket} was turned away as not ready"
            about = (*first.call.indices, *send.call.indices, *last.call.indices)
            yield Invalid(why, about, () if send.ticket is None else (send.ticket,))


def _says_not_ready(send: Exchange) -> bool:
    if send.server is None or send.server.status != 503:
        return False
    return text(mapping(send.server.body).get("error")) in NOT_READY


def _end(answer: _Answer) -> int:
    completion = answer.call.completion
    return completion.index if completion is not None else answer.call.invoke.index


def _span_s(first: _Answer, last: _Answer) -> float:
    completion = last.call.completion
    end_us = completion.time_us if completion is not None else last.call.invoke.time_us
    return (end_us - first.call.invoke.time_us) / 1e6
