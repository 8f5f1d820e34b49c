"""Judging saved histories again, from nothing but their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from rich.console import Console

from scenarios.checkers import CHECKERS, judge
from scenarios.explain import explain
from scenarios.history import History, HistoryRefused
from scenarios.jepsen_log import read_jepsen
from scenarios.linearizability.verdict import judge_by, told_order
from scenarios.output import ExitStatus, gravest, word
from scenarios.set_oracle import elements_of
from scenarios.verdict import Invalid, Unknown, Verdict, combine

Format = Literal["lab", "jepsen"]
FORMATS: Mapping[Format, Callable[[Path], History]] = MappingProxyType(
    {"lab": History.read, "jepsen": read_jepsen}
)


def check_files(
    files: Sequence[Path],
    console: Console,
    errors: Console,
    *,
    model: str | None = None,
    form: Format = "lab",
) -> ExitStatus:
    """A line `FILE: valid|invalid|unknown` each; an unreadable file is told and the rest judged.

    With `model` it is asked whether the history is linearizable by that; else the checkers are
    that its first line names."""
    worst = ExitStatus.PASSED
    for file in files:
        try:
            history = FORMATS[form](file)
            status = (
                _check(file, history, console)
                if model is None
                else _check_order(file, history, model, console)
            )
        except (OSError, HistoryRefused) as error:
            errors.print(f"dtms-lab: {error}", markup=False, soft_wrap=True)
            status = ExitStatus.USAGE
        worst = gravest(worst, status)
    return worst


def _check(file: Path, history: History, console: Console) -> ExitStatus:
    named = history.header.get("checkers")
    names = [n for n in named if n in CHECKERS] if isinstance(named, list) else list(CHECKERS)
    verdicts = judge(history, names)
    worst = combine(verdicts.values())
    return _tell(
        file,
        worst,
        console,
        *(
            explain(name, verdict, history)
            for name, verdict in verdicts.items()
            if isinstance(verdict, Invalid)
        ),
    )


def _check_order(file: Path, history: History, model: str, console: Console) -> ExitStatus:
    verdict, contradiction = judge_by(model, history)
    words = []
    if contradiction is not None:
        words += [explain(f"linearizable by {model}", verdict, history), *told_order(contradiction)]
    if model == "registration" and (elements := elements_of(history)).known:
        words.append(f"  registrations: {elements}")
    return _tell(file, verdict, console, *words)


def _tell(file: Path, verdict: Verdict, console: Console, *words: str) -> ExitStatus:
    def tell(line: str) -> None:
        # JSON may hold half a character, which no terminal takes.
        plain = line.encode("utf-8", "backslashreplace").decode()
        console.print(plain, markup=False, highlight=False)

    tell(f"{file}: {word(verdict)}")
    for told in words:
        tell(told)
    match verdict:
        case Invalid():
            return ExitStatus.VIOLATED
        case Unknown():
            tell(f"  {verdict.why}")
            return ExitStatus.INCONCLUSIVE
        case _:
            return ExitStatus.PASSED
