"""Answers get lost."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.choice import Draw
from chaos.faults.aim import AimedAtRequests
from chaos.refusal import refuse_unless
from chaos.request import RequestView
from chaos.verdict import SILENCES, Forward, Lose, Silence, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class DropAnswer(AimedAtRequests):
    """The server has done what was asked and has answered; the answer is lost, as `how` says."""

    how: Silence = "hang"

    def __post_init__(self) -> None:
        AimedAtRequests.__post_init__(self)
        refuse_unless(self.how in SILENCES, f"Answers are not lost by {self.how!r}.")

    def hit(self, request: RequestView, nth: int, draw: Draw) -> Verdict:  # noqa: ARG002
        return Forward(answer=Lose(self.how))
