"""What can happen to an answer on its way back, as pure functions of the whole answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Protocol

FRAMING = frozenset({"content-length", "transfer-encoding"})
"""Headers that say where a body ends; said anew by whoever sends it on."""

REPRESENTATION = frozenset({"content-type", "content-encoding"})


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole HTTP answer, its body decoded from any chunking."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first header of that name, in whatever case."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def head(self, length: int | None = None) -> bytes:
        """Status line and headers, announcing the body's length or the one given."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}"]
        lines += [f"{key}: {value}" for key, value in self.headers if key.lower() not in FRAMING]
        lines += [f"content-length: {len(self.body) if length is None else length}", "", ""]
        return "\r\n".join(lines).encode("latin-1")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the client gets: `head` at once, `body` spread evenly over `over_s`.

    `answer` is what it then has whole; None where it gets no whole answer, and the connection
    closes behind the last byte.
    """

    head: bytes
    body: bytes
    answer: HttpAnswer | None
    over_s: float = 0.0


class Change(Protocol):
    """Something that happens to an answer."""

    def deliver(self, answer: HttpAnswer) -> Delivery:
        """What the client gets of the server's answer."""
        ...


@dataclass(frozen=True, slots=True)
class Deliver:
    """Nothing; carriers may pass bytes on as they come."""

    def deliver(self, answer: HttpAnswer) -> Delivery:
        return whole(answer)


DELIVER = Deliver()


@dataclass(frozen=True, slots=True)
class Replace:
    """The status is the server's; the body is not. None for `content_type` keeps the header."""

    body: bytes
    content_type: str | None = None

    def deliver(self, answer: HttpAnswer) -> Delivery:
        gone = {"content-encoding"} if self.content_type is None else REPRESENTATION
        headers = tuple(kv for kv in answer.headers if kv[0].lower() not in gone)
        if self.content_type is not None:
            headers = (*headers, ("content-type", self.content_type))
        return whole(replace(answer, headers=headers, body=self.body))


@dataclass(frozen=True, slots=True)
class Blurt:
    """Bytes that are no HTTP at all, then the end of the connection."""

    data: bytes

    def deliver(self, answer: HttpAnswer) -> Delivery:  # noqa: ARG002 - nothing of it is left
        return Delivery(head=b"", body=self.data, answer=None)


@dataclass(frozen=True, slots=True)
class Cut:
    """The head announces the whole body; `kept` of it comes, then the end.

    An answer without a body loses the end of its head."""

    kept: float
    """At least 0, less than 1."""

    def deliver(self, answer: HttpAnswer) -> Delivery:
        head = answer.head()
        if not answer.body:
            return Delivery(head=head[: len(head) // 2], body=b"", answer=None)
        kept = int(len(answer.body) * self.kept)
        return Delivery(head=head, body=answer.body[:kept], answer=None)


@dataclass(frozen=True, slots=True)
class Pace:
    """The body comes byte by byte, over `over_s`."""

    over_s: float

    def deliver(self, answer: HttpAnswer) -> Delivery:
        return Delivery(answer.head(), answer.body, answer, over_s=self.over_s)


@dataclass(frozen=True, slots=True)
class Misquote:
    """A JSON answer says something else in `field`, wherever it stands at the top or in
    `trade_info`; every other answer is left alone."""

    field: str

    def deliver(self, answer: HttpAnswer) -> Delivery:
        try:
            said = json.loads(answer.body)
        except ValueError:
            return whole(answer)
        if not isinstance(said, dict):
            return whole(answer)
        wrong = self._misquoted(said)
        trade = said.get("trade_info")
        if isinstance(trade, dict):
            wrong["trade_info"] = self._misquoted(trade)
        return whole(replace(answer, body=json.dumps(wrong).encode()))

    def _misquoted(self, said: Mapping[str, object]) -> dict[str, object]:
        if self.field not in said:
            return dict(said)
        return {**said, self.field: other_than(said[self.field])}


def whole(answer: HttpAnswer) -> Delivery:
    """All of it at once."""
    return Delivery(answer.head(), answer.body, answer)


def other_than(value: object) -> object:
    """A believable value of the same type that is not `value`."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1 if value + 1 != value else -value
        case "BUY":
            return "SELL"
        case "SELL":
            return "BUY"
        case str():
            return f"{value}X"
        case None:
            return 1.0
        case _:
            return None
