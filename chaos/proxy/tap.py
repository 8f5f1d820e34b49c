"""What can be learnt from a fault proxy about each exchange, and when."""

from __future__ import annotations

from typing import Protocol

import msgspec

from chaos.answer import HttpAnswer
from chaos.json_body import decoded
from chaos.request import RequestView


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """A request that came in whole. `number` counts from 0 through all links of the proxy."""

    number: int
    request: RequestView

    @property
    def service(self) -> str:
        """Who asked: the left side of the link."""
        return self.request.link.partition("->")[0]


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An answer that came, or went out, whole.

    `body` is the decoded JSON, or the text where it is none, None where it is empty; of a body over
    MESSAGE_BYTES_MAX it is the beginning.
    """

    status: int
    body: object
    retry_after: str | None

    @classmethod
    def of(cls, answer: HttpAnswer) -> Answer:
        """What an answer says."""
        return cls(answer.status, decoded(answer.body), answer.header("retry-after"))


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How an exchange ended.

    `reached`: the request, or the beginning of it, was handed to a connection to the server; False
    means that the server certainly never saw it. `server`: the whole answer that the server gave,
    None where it gave none. `client`: the whole answer that was delivered to the client, None where
    it got none or only a part. `fault`: the names of the faults that had a part in it, joined by
    `+`. `why`: how it came about, in words, where the client got no whole answer.
    """

    reached: bool
    server: Answer | None
    client: Answer | None
    fault: str | None
    why: str = ""


class Tap(Protocol):
    """Called from within the proxy, in the loop it runs in; must not block and must not raise.

    For each exchange: `on_request` once, before anything of it is forwarded; `on_answer` at most
    once; `on_end` once, before the last byte of the answer is handed to the client or when it is
    certain that no whole answer will be. `on_copy` for each extra delivery of a duplicated request,
    at any time after `on_request`, even after `on_end`.
    """

    def on_request(self, exchange: Exchange) -> None: ...

    def on_answer(self, exchange: Exchange, answer: Answer) -> None:
        """The server's whole answer was read; the client has not got all of it."""
        ...

    def on_copy(self, exchange: Exchange, answer: Answer | None) -> None:
        """An extra delivery got this answer, which nobody sees; None where it got none."""
        ...

    def on_end(self, exchange: Exchange, outcome: Outcome) -> None: ...


class Unheeded:
    """A tap for those who do not look."""

    def on_request(self, exchange: Exchange) -> None:
        """Nobody looks."""

    def on_answer(self, exchange: Exchange, answer: Answer) -> None:
        """Nobody looks."""

    def on_copy(self, exchange: Exchange, answer: Answer | None) -> None:
        """Nobody looks."""

    def on_end(self, exchange: Exchange, outcome: Outcome) -> None:
        """Nobody looks."""
