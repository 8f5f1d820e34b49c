"""Answers break off."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.answer import Cut
from chaos.choice import Draw
from chaos.faults.aim import AimedAtRequests
from chaos.refusal import refuse_unless
from chaos.request import RequestView
from chaos.verdict import Forward, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncate(AimedAtRequests):
    """The server has done what was asked; its answer announces its length, `kept` of the body
    comes, and the connection closes."""

    kept: float = 0.5

    def __post_init__(self) -> None:
        AimedAtRequests.__post_init__(self)
        refuse_unless(
            0.0 <= self.kept < 1.0,
            f"A truncated answer keeps 0 or more and less than 1 of its body, not {self.kept}.",
        )

    def hit(self, request: RequestView, nth: int, draw: Draw) -> Verdict:  # noqa: ARG002
        return Forward(answer=Cut(self.kept))
