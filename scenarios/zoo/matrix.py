"""The detection matrix: a row for each specimen, a column for each checker, and for each check of
the contract that may claim a bug, or did."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.checkers import CHECKERS
from scenarios.zoo.detection import Detection

FOUND, ALSO, ENTITLED, OTHER, NOTHING = "#", "+", "-", "o", "."
LEGEND = (
    f"{FOUND} found it  {ALSO} may claim it, and did  {ENTITLED} may claim it, and did not  "
    f"{OTHER} claimed something else"
)


def matrix(found: Sequence[Detection]) -> str:
    """As text. Columns are numbered; their names stand above."""
    names = [*CHECKERS, *_checks(found)]
    width = max((len(one.specimen.name) for one in found), default=0)
    numbers = [str(number) for number in range(1, len(names) + 1)]
    lines = [f"{number:>2} {name}" for number, name in zip(numbers, names, strict=True)]
    lines += [LEGEND, f"{'':{width + 8}}" + " ".join(f"{number:>2}" for number in numbers)]
    for one in found:
        marks = " ".join(f"{mark(one, name):>2}" for name in names)
        lines.append(f"{one.specimen.side:7} {one.specimen.name:{width}}{marks}")
    return "\n".join(lines)


def _checks(found: Sequence[Detection]) -> list[str]:
    named = {name for one in found for name in (*one.specimen.claims, *one.claimed)}
    return sorted(named - set(CHECKERS))


def mark(one: Detection, checker: str) -> str:
    """What the checker, or check, had to do with the specimen."""
    claimed, entitled = checker in one.claimed, checker in one.specimen.claims
    if checker == one.checker:
        return FOUND
    if claimed:
        return ALSO if entitled else OTHER
    return ENTITLED if entitled else NOTHING
