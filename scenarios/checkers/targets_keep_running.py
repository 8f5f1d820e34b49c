"""Checker: targets keep running."""

from __future__ import annotations

from scenarios.evidence.actors import SERVER, ended_by_lab, told
from scenarios.evidence.reading import text
from scenarios.evidence.reports import reports
from scenarios.history import History, Op
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude

LABS_OWN = frozenset({"broker", "main-api"})


def targets_keep_running(history: History) -> Verdict:
    """No client or server under test ended but by the lab's hand, each that was killed came back
    when it was started again after healing, and a client that printed what is no answer answered
    all the same.

    Does not check: the lab's own processes, a second instance, which must end, nor what was
    answered."""
    starts = [op for op in history.notes("start", "world") if _is_target(op)]
    if not starts:
        return Unknown("no target was started")
    actors = tuple(dict.fromkeys(str(op.get("actor")) for op in starts))
    findings: list[Verdict] = []
    for actor in actors:
        for op in told(history, "exited", actor):
            if not ended_by_lab(history, op, actor):
                why = f"{actor} ended by itself with status {op.get('exit_status')}{_words(op)}"
                findings.append(Invalid(why, (op.index,)))
        for op in told(history, "not-ready", actor):
            why = f"{actor} was started again after healing and did not get ready{_words(op)}"
            findings.append(Invalid(why, (op.index,)))
        rubbish = told(history, "rubbish", actor)
        if rubbish and (unanswered := _unanswered(history, actor)):
            why = f"{actor} printed what is no answer{_words(rubbish[0])}"
            findings.append(Invalid(why, (rubbish[0].index, *unanswered)))
    return conclude(findings) if findings else Valid()


def _is_target(op: Op) -> bool:
    actor = text(op.get("actor"))
    return actor is not None and actor not in LABS_OWN and actor != f"{SERVER}-second"


def _words(op: Op) -> str:
    """What it said last, if anything."""
    words = text(op.get("words"))
    return f": {words}" if words else ""


def _unanswered(history: History, service: str) -> tuple[int, ...]:
    return tuple(
        report.call.invoke.index
        for report in reports(history)
        if report.service == service and report.error.startswith(("no answer", "process died"))
    )
