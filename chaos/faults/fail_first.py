"""The first attempts fail."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.choice import Draw
from chaos.faults.aim import AimedAtRequests
from chaos.faults.answer_for import INJECTED, check_retry_after, check_status, reply
from chaos.refusal import refuse_unless
from chaos.request import RequestView
from chaos.verdict import PASS, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class FailFirst(AimedAtRequests):
    """The first `first` requests of each ticket since this began are answered with `status`; the
    server never sees them. The ones after that pass."""

    first: int
    status: int = 500
    retry_after_s: int | None = None
    body: str = INJECTED

    def __post_init__(self) -> None:
        AimedAtRequests.__post_init__(self)
        check_status(self.status)
        check_retry_after(self.retry_after_s)
        refuse_unless(self.first >= 1, f"At least the first attempt fails, not {self.first}.")

    def hit(self, request: RequestView, nth: int, draw: Draw) -> Verdict:  # noqa: ARG002
        if nth >= self.first:
            return PASS
        return reply(self.status, self.body, self.retry_after_s)
