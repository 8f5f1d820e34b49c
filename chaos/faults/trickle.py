"""Answers drip."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.answer import Pace
from chaos.choice import Draw
from chaos.faults.aim import AimedAtRequests
from chaos.refusal import refuse_unless
from chaos.request import RequestView
from chaos.verdict import Forward, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Trickle(AimedAtRequests):
    """The head of the answer comes at once, its body byte by byte over `over_s`, so that no single
    read ever waits for long."""

    over_s: float

    def __post_init__(self) -> None:
        AimedAtRequests.__post_init__(self)
        refuse_unless(
            self.over_s > 0, f"An answer trickles for longer than 0 s, not {self.over_s}."
        )

    def hit(self, request: RequestView, nth: int, draw: Draw) -> Verdict:  # noqa: ARG002
        return Forward(answer=Pace(self.over_s))
