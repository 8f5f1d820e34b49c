"""Checker: bad input changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from scenarios.evidence.actors import SERVER, ended_by_lab, told
from scenarios.evidence.final import Final
from scenarios.evidence.reading import integer, items
from scenarios.evidence.reports import Report, reports
from scenarios.history import Call, History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude


def bad_input_changes_nothing(history: History) -> Verdict:
    """Each broken body gets a status that refuses it, registers nothing, and harms nobody: the
    server lives on, and good registrations still succeed.

    Does not check: the words of the refusal, nor what other trades look like afterwards."""
    calls = history.calls("bad-input")
    if not calls:
        return Unknown("no bad input was sent")
    final = Final.of(history)
    findings = [_answered(call) for call in calls]
    findings += _changed(calls, final)
    findings += _ended_server(history, calls)
    findings += _good_ones_failed(history, calls, final)
    return conclude(findings)


def _answered(call: Call) -> Verdict:
    case, expected = call.get("case"), [s for s in map(integer, items(call.get("expected"))) if s]
    status = integer(call.get("status"))
    if call.ended != "ok" or status is None:
        return Unknown(f"bad input {case} got no answer")
    if not expected:
        return Unknown(f"what bad input {case} should be answered was not recorded")
    if status in expected:
        return Valid()
    allowed = " or ".join(map(str, expected))
    return Invalid(f"bad input {case} was answered {status}, not {allowed}", call.indices)


def _changed(calls: tuple[Call, ...], final: Final) -> Iterator[Verdict]:
    tickets = dict.fromkeys(call.ticket for call in calls if call.ticket is not None)
    for ticket in tickets:
        match final.presence(ticket):
            case "absent":
                yield Valid()
            case "unread" | "unreadable":
                yield Unknown(f"whether bad input registered {ticket} was not read")
            case _:
                cases = [call for call in calls if call.ticket == ticket]
                evidence = (*(i for call in cases for i in call.indices), *final.indices[:1])
                yield Invalid(f"bad input registered {ticket}", evidence, (ticket,))


def _ended_server(history: History, calls: tuple[Call, ...]) -> Iterator[Verdict]:
    """The server ended by itself while bad input was about."""
    for op in told(history, "exited", SERVER):
        if ended_by_lab(history, op, SERVER):
            continue
        if before := [call for call in calls if call.invoke.index < op.index]:
            evidence = (*before[-1].indices, op.index)
            yield Invalid(f"the server ended after bad input {before[-1].get('case')}", evidence)


def _good_ones_failed(history: History, calls: tuple[Call, ...], final: Final) -> Iterator[Verdict]:
    """One that was not told in time succeeded if it is there in the end."""
    first = calls[0].invoke.index
    later = [r for r in reports(history) if r.call.invoke.index > first and r.call.completion]

    def failed(report: Report) -> bool:
        if report.ended == "info":
            return final.presence(report.ticket) in {"absent", "unread"}
        return report.ended != "ok"

    if later and all(map(failed, later)):
        why = f"after bad input none of {len(later)} good registrations succeeded"
        evidence = tuple(index for report in later for index in report.call.indices)
        yield Invalid(why, evidence, tuple(report.ticket for report in later))
