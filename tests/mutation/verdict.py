"""What the outcomes of a subject's mutants come to, given which are known to change nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.mutants import Mutant
from tests.mutation.trial import Outcome


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A mutant that cannot change behaviour, and `why`."""

    module: str
    place: str
    was: str
    becomes: str
    why: str

    def is_of(self, mutant: Mutant) -> bool:
        """Known by its words, which outlive changes elsewhere in the module."""
        return (self.place, self.was, self.becomes) == (mutant.place, mutant.was, mutant.becomes)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one subject. `stale`: listed as equivalent, but no such mutant is, or it is killed."""

    name: str
    mutants: int
    killed: int
    timed_out: int
    equivalent: int
    survivors: tuple[Mutant, ...]
    errors: tuple[Mutant, ...]
    stale: tuple[Equivalent, ...]

    @property
    def exit_status(self) -> int:
        """0 where nothing survives unexplained, 1 where something does, 5 where trials broke."""
        if self.errors:
            return 5
        return 1 if self.survivors or self.stale else 0

    def lines(self) -> list[str]:
        """For a terminal: the figures, then each finding with what to do about it."""
        slow = f" ({self.timed_out} of them timed out)" if self.timed_out else ""
        return [
            f"{self.name}: {self.mutants} mutants, {self.killed} killed{slow}, "
            f"{self.equivalent} equivalent, {len(self.survivors)} survived",
            *(_shown("SURVIVED", "write a test that fails", m) for m in self.survivors),
            *(_shown("BROKE", "its trial ended in no way that tests end", m) for m in self.errors),
            *(_shown("STALE", "no such mutant survives: unlist it", e) for e in self.stale),
        ]


def judged(
    name: str,
    mutants: Sequence[Mutant],
    outcomes: Mapping[int, Outcome],
    equivalents: Sequence[Equivalent],
) -> Verdict:
    """Every mutant must have an outcome."""
    came = {outcome: [m for i, m in enumerate(mutants) if outcomes[i] is outcome]
            for outcome in Outcome}  # fmt: skip
    listed = [e for e in equivalents if e.module == name]
    lived = came[Outcome.SURVIVED]
    unlisted = [m for m in lived if not any(e.is_of(m) for e in listed)]
    return Verdict(
        name=name,
        mutants=len(mutants),
        killed=len(came[Outcome.KILLED]) + len(came[Outcome.TIMED_OUT]),
        timed_out=len(came[Outcome.TIMED_OUT]),
        equivalent=len(lived) - len(unlisted),
        survivors=tuple(unlisted),
        errors=tuple(came[Outcome.ERROR]),
        stale=tuple(e for e in listed if not any(e.is_of(m) for m in lived)),
    )


def read_equivalents(path: Path) -> tuple[Equivalent, ...]:
    """The list, a [[mutant]] for each. Raises `ValueError` for one that is not whole."""
    listed = tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", [])
    try:
        return tuple(Equivalent(**entry) for entry in listed)
    except TypeError as error:
        raise ValueError(f"{path} has an entry that is not whole: {error}") from error


def _shown(kind: str, advice: str, what: Mutant | Equivalent) -> str:
    was, becomes = (text.replace("\n", "\n    | ") for text in (what.was, what.becomes))
    return f"  {kind} in {what.place or 'the module'} ({advice})\n    - {was}\n    + {becomes}"
