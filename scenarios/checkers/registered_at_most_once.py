"""Checker: registered at most once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

from scenarios.evidence.exchange import Exchange, deliveries
from scenarios.evidence.final import Final
from scenarios.evidence.positions import close_calls
from scenarios.evidence.shared import once_per_history
from scenarios.history import Call, History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude


def registered_at_most_once(history: History) -> Verdict:
    """No ticket is registered twice: not called new twice, nor held twice, nor by two managers.

    Counts what the server answered, heard or not. Does not check: that anything is registered at
    all, nor a ticket that was closed between its two registrations."""
    final = Final.of(history)
    new = new_answers(history)
    held = [ticket for ticket in final.trades if final.there(ticket)]
    if not new and not held:
        return Unknown("no registration was answered, and none was found at the end")
    findings = [Valid(), *_held_twice(final, held), *_new_twice(history, new)]
    return conclude(findings)


@once_per_history
def new_answers(history: History) -> Mapping[int, list[Exchange]]:
    """Exchanges in which the server registered a ticket and called it new, by ticket."""
    new: dict[int, list[Exchange]] = {}
    for exchange in deliveries(history, "enable"):
        answer = exchange.server
        if exchange.ticket is not None and answer and answer.registered and answer.is_new:
            new.setdefault(exchange.ticket, []).append(exchange)
    return new


def repeated(new: list[Exchange], closes: list[Call]) -> tuple[Exchange, ...]:
    """The answers that called a ticket new though it was registered and not closed since."""
    found: dict[int, Exchange] = {}
    for before, after in pairwise(new):
        if not any(_may_lie_between(close, before, after) for close in closes):
            found |= {before.begun: before, after.begun: after}
    return tuple(found.values())


def _may_lie_between(close: Call, before: Exchange, after: Exchange) -> bool:
    began_in_time = after.ended is None or close.invoke.index < after.ended
    completion = close.completion
    lasted_long_enough = (
        completion is None or completion.type == "info" or completion.index > before.begun
    )
    return began_in_time and lasted_long_enough


def _new_twice(history: History, new: Mapping[int, list[Exchange]]) -> Iterator[Verdict]:
    closes = close_calls(history)
    for ticket, answers in new.items():
        if twice := repeated(answers, closes.get(ticket, [])):
            evidence = tuple(index for e in twice for index in e.call.indices)
            times = "twice" if len(twice) == 2 else f"{len(twice)} times"
            yield Invalid(f"{ticket} was registered as new {times}", evidence, (ticket,))


def _held_twice(final: Final, held: list[int]) -> Iterator[Verdict]:
    for ticket, times in Counter(final.universal or ()).items():
        if times > 1:
            why = f"{ticket} stands {times} times in the Universal Manager"
            yield Invalid(why, final.indices, (ticket,))
    for ticket in held:
        if final.presence(ticket) == "active" and ticket in (final.universal or ()):
            why = f"{ticket} is held by DTMS and by the Universal Manager"
            yield Invalid(why, final.indices, (ticket,))
