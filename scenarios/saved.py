"""Judging saved histories again, from nothing but their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from scenarios.checkers import CHECKERS, judge
from scenarios.explain import explain
from scenarios.history import History, HistoryRefused
from scenarios.output import ExitStatus, word
from scenarios.verdict import Invalid, Unknown, combine


def check_files(files: Sequence[Path], console: Console, errors: Console) -> ExitStatus:
    """A line `FILE: valid|invalid|unknown` each; an unreadable file is told and the rest judged."""
    worst = ExitStatus.PASSED
    for file in files:
        try:
            status = _check(file, console)
        except (OSError, HistoryRefused) as error:
            errors.print(f"dtms-lab: {error}", markup=False, soft_wrap=True)
            status = ExitStatus.USAGE
        worst = max(worst, status, key=_SEVERITY.index)
    return worst


_SEVERITY = (
    ExitStatus.PASSED,
    ExitStatus.INCONCLUSIVE,
    ExitStatus.USAGE,
    ExitStatus.VIOLATED,
)


def _check(file: Path, console: Console) -> ExitStatus:
    history = History.read(file)
    named = history.header.get("checkers")
    names = [n for n in named if n in CHECKERS] if isinstance(named, list) else list(CHECKERS)
    verdicts = judge(history, names)
    worst = combine(verdicts.values())
    console.print(f"{file}: {word(worst)}", markup=False, highlight=False)
    for name, verdict in verdicts.items():
        if isinstance(verdict, Invalid):
            console.print(explain(name, verdict, history), markup=False, highlight=False)
    match worst:
        case Invalid():
            return ExitStatus.VIOLATED
        case Unknown():
            console.print(f"  {worst.why}", markup=False, highlight=False)
            return ExitStatus.INCONCLUSIVE
        case _:
            return ExitStatus.PASSED
