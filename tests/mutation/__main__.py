"""Mutates the core's decision modules, and says which mutants their tests do not notice.

    python -m tests.mutation [MODULE ...] [--jobs N]

A run that was stopped goes on where it was; what was changed since is tried anew. Exit status: 0
nothing survives but what equivalent.toml explains, 1 something does, or an explanation is stale,
2 usage, 5 the tests fail without any mutant, or a trial broke.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutation.journal import Journal
from tests.mutation.mutants import mutants_of
from tests.mutation.subjects import NAMES, Subject
from tests.mutation.trial import Outcome, Trial, outcomes
from tests.mutation.verdict import Equivalent, Verdict, judged, read_equivalents

ROOT = Path(__file__).parents[2]
LISTED = Path(__file__).with_name("equivalent.toml")


class TestsFail(Exception):
    """Without any mutant; they could not tell one."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args(arguments)
    if unknown := sorted(set(asked.modules) - set(NAMES)):
        parser.error(f"{unknown[0]} is not mutated; {', '.join(NAMES)} are")
    if asked.jobs < 1:
        parser.error("--jobs must be 1 or more")
    started, statuses = time.monotonic(), []
    try:
        equivalents = read_equivalents(LISTED)
        for name in asked.modules or NAMES:
            verdict = tried(Subject(name, ROOT), equivalents, asked.jobs)
            statuses.append(verdict.exit_status)
            say("\n".join(verdict.lines()))
    except KeyboardInterrupt:
        say("stopped; the same command goes on from here")
        return 130
    except (TestsFail, ValueError) as error:
        say(str(error))
        return 5
    say(f"{time.monotonic() - started:.0f} s")
    return max(statuses)


def tried(subject: Subject, equivalents: Sequence[Equivalent], jobs: int) -> Verdict:
    """Tries what the journal does not know yet."""
    mutants = mutants_of(subject.source)
    with Journal(subject.root / ".mutation" / f"{subject.name}.jsonl", subject.inputs) as journal:
        open_yet = [index for index in range(len(mutants)) if index not in journal.outcomes]
        if open_yet:
            _must_pass(subject)
        trials = [_trial(subject, mutants[index].source) for index in open_yet]
        for done, (place, outcome) in enumerate(outcomes(trials, jobs), start=1):
            journal.add(open_yet[place], outcome)
            _show_progress(subject, done, len(trials))
        return judged(subject.name, mutants, journal.outcomes, equivalents)


def _must_pass(subject: Subject) -> None:
    ((_, outcome),) = outcomes([_trial(subject, subject.source)], 1)
    if outcome is not Outcome.SURVIVED:
        raise TestsFail(f"{' '.join(subject.tests)}: fails without any mutant; mend that first")


def _trial(subject: Subject, source: str) -> Trial:
    return Trial(subject.module, source, subject.tests, str(subject.root))


def _show_progress(subject: Subject, done: int, of: int) -> None:
    if sys.stderr.isatty():
        end = "\r" if done < of else "\r\033[K"
        sys.stderr.write(f"{subject.name} {done}/{of}{end}")
        sys.stderr.flush()


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
