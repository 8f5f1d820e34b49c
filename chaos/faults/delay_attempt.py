"""One attempt of a ticket is late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chaos.choice import Draw
from chaos.faults.aim import AimedAtRequests
from chaos.refusal import refuse_unless
from chaos.request import RequestView
from chaos.verdict import Forward, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayAttempt(AimedAtRequests):
    """The `attempt`-th request of a ticket, the first by default, or the answer to it, is held
    back for `delay_s`. A late request arrives even if its client has given up and tried again."""

    attempt: int | None = 0
    delay_s: float
    part: Literal["request", "answer"] = "request"

    def __post_init__(self) -> None:
        AimedAtRequests.__post_init__(self)
        refuse_unless(self.delay_s > 0, f"A delay is longer than 0 s, not {self.delay_s}.")
        refuse_unless(
            self.part in ("request", "answer"), f"Request or answer is delayed, not {self.part!r}."
        )

    def hit(self, request: RequestView, nth: int, draw: Draw) -> Verdict:  # noqa: ARG002
        if self.part == "answer":
            return Forward(answer_delay_s=self.delay_s)
        return Forward(delay_s=self.delay_s)
