"""A plan, played and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scenarios.case import Case
from scenarios.checkers import judge
from scenarios.episode import checkers_for
from scenarios.verdict import Invalid, Verdict, combine
from scenarios.worlds.sim.play import Plan, Played, play

LIVENESS = frozenset({"unprotected_time_is_bounded", "caller_is_never_blocked"})
"""Checkers of what must come about in time; all others are of what must never happen."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a plan, and what each checker says."""

    plan: Plan
    played: Played
    verdicts: Mapping[str, Verdict]

    @property
    def verdict(self) -> Verdict:
        """The gravest."""
        return combine(self.verdicts.values())

    @property
    def broken(self) -> tuple[str, ...]:
        """The checkers that found a violation, those of safety first."""
        names = [name for name, v in self.verdicts.items() if isinstance(v, Invalid)]
        return tuple(sorted(names, key=lambda name: name in LIVENESS))

    @property
    def kind(self) -> str:
        """`safety`, `liveness`, or empty where nothing is broken."""
        if not self.broken:
            return ""
        return "liveness" if self.broken[0] in LIVENESS else "safety"

    @property
    def why(self) -> str:
        """What the first broken checker says."""
        return self.verdicts[self.broken[0]].why if self.broken else self.verdict.why

    def case(self) -> Case:
        """As a file tells it."""
        words = {name: type(verdict).__name__.lower() for name, verdict in self.verdicts.items()}
        history = self.played.history
        return Case(self.plan, words, self.why, history.digest(), history)


def judged(plan: Plan, *, note: bool = False, trail: bool = False) -> Judged:
    """Plays and judges. Raises what `play` raises."""
    played = play(plan, note=note, trail=trail)
    names = checkers_for(plan.scenario, plan.client, plan.server)
    return Judged(plan, played, judge(played.history, names))
