"""What a checker may say: valid, invalid, or that it cannot tell. Doubt is not success."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Valid:
    """The property was looked at, on at least one case, and held."""

    @property
    def why(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Invalid:
    """The property was broken. `evidence` are indices of operations in the history."""

    why: str
    evidence: tuple[int, ...] = ()
    tickets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """There was nothing to check, or what was recorded does not suffice."""

    why: str


Verdict = Valid | Invalid | Unknown

_SEVERITY: dict[type[Verdict], int] = {Valid: 0, Unknown: 1, Invalid: 2}


def severity(verdict: Verdict) -> int:
    """Orders verdicts: invalid outweighs unknown, and unknown outweighs valid."""
    return _SEVERITY[type(verdict)]


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """The gravest of them, the first of equals; `Unknown` where there is none."""
    return max(verdicts, key=severity, default=Unknown("no checker ran"))


def conclude(findings: Iterable[Verdict]) -> Verdict:
    """One verdict for what was found about many trades: the gravest, saying how many more.

    Evidence and tickets of all violations are kept, in the order they were found.
    """
    found = list(findings)
    violations = [finding for finding in found if isinstance(finding, Invalid)]
    if not violations:
        return combine(found)
    first, *others = violations
    if not others:
        return first
    return Invalid(
        f"{first.why} (and {len(others)} more)",
        tuple(dict.fromkeys(index for v in violations for index in v.evidence)),
        tuple(dict.fromkeys(ticket for v in violations for ticket in v.tickets)),
    )
