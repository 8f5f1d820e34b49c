"""Checker: the caller is never blocked."""

from __future__ import annotations

from scenarios.evidence.actors import told
from scenarios.evidence.reading import mapping, seconds
from scenarios.evidence.reports import Report, reports
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude


def caller_is_never_blocked(history: History) -> Verdict:
    """Every registration call came back within `bounds.blocked_s`, and none raised.

    Time in which the service itself was stopped by a signal does not count, nor do calls whose
    process died. Does not check: what the call answered."""
    asked = reports(history)
    if not asked:
        return Unknown("no registration was asked for")
    bound_s = seconds(mapping(history.header.get("bounds")).get("blocked_s"))
    if bound_s is None:
        return Unknown("the history does not say how long a caller may wait")
    pauses = {service: _pauses(history, service) for service in {r.service for r in asked}}
    deaths = {service: [op.index for op in told(history, "exited", service)] for service in pauses}
    verdicts = [
        _judge(report, bound_s, history.end_us, pauses[report.service])
        for report in asked
        if report.call.completion is not None
        or not any(index > report.call.invoke.index for index in deaths[report.service])
    ]
    return conclude(verdicts) if verdicts else Unknown("every caller died before it was answered")


def _judge(report: Report, bound_s: float, end_us: int, pauses: list[tuple[int, int]]) -> Verdict:
    call, ticket = report.call, report.ticket
    began_us = call.invoke.time_us
    ended_us = call.completion.time_us if call.completion is not None else end_us
    for words in (report.error, report.reason):
        if words.startswith("raised"):
            return Invalid(f"registering {ticket} {words}", call.indices, (ticket,))
    if report.error.startswith("process "):
        return Valid()
    stopped_us = sum(max(0, min(ended_us, b) - max(began_us, a)) for a, b in pauses)
    took_s = (ended_us - began_us - stopped_us) / 1e6
    if took_s <= bound_s:
        return Valid()
    verb = "took" if call.completion is not None else "had not come back after"
    why = f"registering {ticket} {verb} {took_s:.3f} s, {bound_s:g} s are allowed"
    return Invalid(why, call.indices, (ticket,))


def _pauses(history: History, service: str) -> list[tuple[int, int]]:
    resumes = told(history, "resume", service)
    return [
        (
            pause.time_us,
            next((op.time_us for op in resumes if op.index > pause.index), history.end_us),
        )
        for pause in told(history, "pause", service)
    ]
