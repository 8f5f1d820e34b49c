"""One exchange while it is under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from chaos.proxy.http import AnswerReader, WholeRequest
from chaos.proxy.tap import Answer, Exchange
from chaos.verdict import Verdict


class Stage(Enum):
    """How far an exchange has come."""

    HELD = "the request has not been sent on"
    ASKED = "the server is to answer"
    ANSWERING = "the answer is on its way to the client"


@dataclass(slots=True, eq=False)
class Flight:
    """What is known of the exchange so far."""

    exchange: Exchange
    request: WholeRequest
    verdict: Verdict
    faults: tuple[str, ...]
    reader: AnswerReader
    stage: Stage = Stage.HELD
    streams: bool = False
    """Whether the answer's bytes are passed on as they come."""
    reached: bool = False
    raw: list[bytes] = field(default_factory=list)
    server: Answer | None = None
    client: Answer | None = None
    """What the client will have, once the last byte is handed to it."""

    def blame(self, names: tuple[str, ...]) -> None:
        """These faults have a part in it."""
        self.faults = tuple(dict.fromkeys((*self.faults, *names)))
