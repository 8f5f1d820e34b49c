"""Checker: one new answer per ticket."""

from __future__ import annotations

from scenarios.checkers.registered_at_most_once import new_answers, repeated
from scenarios.evidence.actors import Restorations
from scenarios.evidence.exchange import Exchange, registering
from scenarios.evidence.final import Final
from scenarios.evidence.positions import close_calls, executed
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude


def one_new_answer_per_ticket(history: History) -> Verdict:
    """Of all that the server answers about a registered ticket exactly one calls it new.

    Answers lost on the way count. None is right where an answer was never given, or where a
    recovery took the position over from the broker. Does not check: the order of answers, nor
    registrations that did not pass the proxy."""
    final = Final.of(history)
    closes, positions = close_calls(history), executed(history)
    restorations, new = Restorations.of(history), new_answers(history)

    def judge(ticket: int, tries: list[Exchange]) -> Verdict | None:
        yes = [e for e in tries if e.server is not None and e.server.registered]
        for exchange in yes:
            if exchange.server is not None and exchange.server.is_new is None:
                why = f"an answer about {ticket} does not say whether it is new"
                return Invalid(why, exchange.call.indices, (ticket,))
        if twice := repeated(new.get(ticket, []), closes.get(ticket, [])):
            evidence = tuple(index for e in twice for index in e.call.indices)
            return Invalid(f"{len(twice)} answers called {ticket} new", evidence, (ticket,))
        if ticket in new or (yes and _explained(yes[0], tries)):
            return Valid()
        if restorations.possible(positions.get(ticket)):
            return Valid() if yes or final.presence(ticket) != "absent" else None
        if yes:
            why = f"{ticket} was called registered already, and never new"
            return Invalid(why, yes[0].call.indices, (ticket,))
        return None

    verdicts = [
        v
        for ticket, tries in registering(history).items()
        if (v := judge(ticket, tries)) is not None
    ]
    return conclude(verdicts) if verdicts else Unknown("the server answered no registration")


def _explained(first_yes: Exchange, tries: list[Exchange]) -> bool:
    """Whether a registration nobody heard of may have come before the first "already"."""
    ended = first_yes.ended
    return any(
        (e.server is None or e.server.status >= 500 or "duplicaterequest" in e.faults)
        and e.maybe_carried_out
        and (ended is None or e.begun < ended)
        for e in tries
    )
