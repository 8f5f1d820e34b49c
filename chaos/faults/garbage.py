"""Answers are rubbish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chaos.answer import Blurt, Change, Replace
from chaos.choice import Draw
from chaos.faults.aim import AimedAtRequests
from chaos.refusal import refuse_unless
from chaos.request import RequestView
from chaos.verdict import Forward, Verdict

Rubbish = Literal["bytes", "html", "array", "empty", "not-http"]

RUBBISH: dict[Rubbish, Change] = {
    "bytes": Replace(bytes(range(255, 127, -1))),
    "html": Replace(b"<html><body>Bad Gateway</body></html>", "text/html"),
    "array": Replace(b'["success", true]'),
    "empty": Replace(b""),
    "not-http": Blurt(b"\x00\x01SSH-2.0-garbage\r\n\r\n"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage(AimedAtRequests):
    """The server has done what was asked, and instead of its answer's body comes rubbish: bytes
    that are no text, a page, JSON of another shape, nothing, or no HTTP at all."""

    kind: Rubbish = "bytes"

    def __post_init__(self) -> None:
        AimedAtRequests.__post_init__(self)
        refuse_unless(
            self.kind in RUBBISH,
            f"There is no garbage of kind {self.kind!r}; there is {', '.join(RUBBISH)}.",
        )

    def hit(self, request: RequestView, nth: int, draw: Draw) -> Verdict:  # noqa: ARG002
        return Forward(answer=RUBBISH[self.kind])
