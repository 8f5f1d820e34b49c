"""Which requests a request fault is meant for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from chaos.capabilities import Requests, Undo
from chaos.choice import Draw, happens
from chaos.fault import name_of
from chaos.links import check_link
from chaos.refusal import refuse_unless
from chaos.request import OPS, Op, RequestView
from chaos.verdict import PASS, Verdict


@dataclass(frozen=True, slots=True)
class AimedAtRequests(ABC):
    """Requests on `link` of operation `op`, optionally only those about `ticket`, only the
    `attempt`-th (from 0, as histories count), only with `probability`, keyed by the request.

    A fault is a subclass that says in `hit` what happens to a request that it is meant for.
    """

    link: str
    _: KW_ONLY
    op: Op = "enable"
    ticket: int | None = None
    attempt: int | None = None
    probability: float = 1.0
    needs: ClassVar[type] = Requests

    def __post_init__(self) -> None:
        check_link(self.link)
        refuse_unless(
            self.op in OPS,
            f"There is no operation {self.op!r}; there are {', '.join(sorted(OPS))}.",
        )
        refuse_unless(
            0.0 < self.probability <= 1.0,
            f"A probability is more than 0 and at most 1, not {self.probability}.",
        )
        refuse_unless(
            self.attempt is None or self.attempt >= 0,
            f"Attempts count from 0; there is no attempt {self.attempt}.",
        )

    async def inflict(self, requests: Requests) -> Undo:
        return await requests.rule(self.link, self)

    def decide(self, request: RequestView, nth: int, draw: Draw) -> Verdict:
        """`PASS` for a request that this is not meant for. Pure."""
        if self.op not in ("any", request.op):
            return PASS
        if self.ticket not in (None, request.ticket):
            return PASS
        if self.attempt not in (None, request.attempt):
            return PASS
        if not happens(self.probability, f"{name_of(self)} {request.key}", draw):
            return PASS
        return self.hit(request, nth, draw)

    @abstractmethod
    def hit(self, request: RequestView, nth: int, draw: Draw) -> Verdict:
        """The verdict on a request that this is meant for."""
