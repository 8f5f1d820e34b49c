"""Answers are about something else."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.answer import Misquote
from chaos.choice import Draw
from chaos.faults.aim import AimedAtRequests
from chaos.refusal import refuse_unless
from chaos.request import RequestView
from chaos.verdict import Forward, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongEcho(AimedAtRequests):
    """The server has done what was asked; its answer quotes `field` wrongly: another ticket, or
    another symbol, direction, entry_price, volume, stop_loss, take_profit."""

    field: str = "ticket"

    def __post_init__(self) -> None:
        AimedAtRequests.__post_init__(self)
        refuse_unless(bool(self.field), "A wrong echo needs the name of a field.")

    def hit(self, request: RequestView, nth: int, draw: Draw) -> Verdict:  # noqa: ARG002
        return Forward(answer=Misquote(self.field))
