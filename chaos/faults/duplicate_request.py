"""Requests are delivered more than once."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.choice import Draw
from chaos.faults.aim import AimedAtRequests
from chaos.refusal import refuse_unless
from chaos.request import RequestView
from chaos.verdict import Forward, Verdict

COPIES_MAX = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateRequest(AimedAtRequests):
    """The server gets the request `copies` times, `gap_s` apart; at once by default, so that the
    copies race. The client gets the answer to the first."""

    copies: int = 2
    gap_s: float = 0.0

    def __post_init__(self) -> None:
        AimedAtRequests.__post_init__(self)
        refuse_unless(
            2 <= self.copies <= COPIES_MAX,
            f"A duplicated request comes 2 to {COPIES_MAX} times, not {self.copies}.",
        )
        refuse_unless(self.gap_s >= 0, f"The gap between copies is not negative: {self.gap_s} s.")

    def hit(self, request: RequestView, nth: int, draw: Draw) -> Verdict:  # noqa: ARG002
        return Forward(copies=self.copies, copy_gap_s=self.gap_s)
