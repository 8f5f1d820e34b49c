"""HTTP/1.1 messages in a stream of bytes. Knows no sockets, rules or faults.

Reading is httptools' (llhttp, strict). The bytes themselves are kept, so that what is sent on is
what came, to the bit. A stream that cannot be read as plain requests and answers is *opaque*.
"""

from __future__ import annotations

from dataclasses import dataclass

import httptools

from chaos.answer import HttpAnswer
from chaos.proxy.limits import MESSAGE_BYTES_MAX

UNREADABLE = (httptools.HttpParserError, httptools.HttpParserUpgrade)


@dataclass(frozen=True, slots=True)
class WholeRequest:
    """A request with everything that belongs to it. `path` is without query."""

    method: str
    path: str
    body: bytes
    raw: bytes


class RequestReader:
    """The requests of one connection, one after another.

    Opaque become: what is no HTTP/1.1, upgrades, requests that wait for `100 Continue`, two
    requests in one piece, and messages over MESSAGE_BYTES_MAX.
    """

    def __init__(self) -> None:
        self.opaque = False
        self._parser = httptools.HttpRequestParser(self)
        self._raw: list[bytes] = []
        self._size = 0
        self._clear()

    def feed(self, data: bytes) -> WholeRequest | None:
        """The request that ends with `data`, if one does and the stream is not opaque."""
        self._raw.append(data)
        self._size += len(data)
        if self.opaque:
            return None
        try:
            self._parser.feed_data(data)
        except UNREADABLE:
            self.opaque = True
        if self.opaque or self._size > MESSAGE_BYTES_MAX:
            self.opaque = True
            return None
        if not self._complete:
            return None
        request = WholeRequest(
            self._parser.get_method().decode("latin-1"),
            self._target.partition(b"?")[0].decode("latin-1"),
            b"".join(self._body),
            self.take_raw(),
        )
        self._clear()
        return request

    def take_raw(self) -> bytes:
        """The bytes that belong to no whole request yet; they are the caller's from now on."""
        raw = self._raw[0] if len(self._raw) == 1 else b"".join(self._raw)
        self._raw = []
        self._size = 0
        return raw

    def _clear(self) -> None:
        self._target = b""
        self._body: list[bytes] = []
        self._complete = False

    def on_message_begin(self) -> None:
        """Another message behind a whole one cannot be told apart by its bytes."""
        self.opaque = self.opaque or self._complete

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"expect" and value:
            self.opaque = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._complete = True


class AnswerReader:
    """One answer; informational ones (1xx) before it are passed over.

    Of a body over MESSAGE_BYTES_MAX only the beginning is kept: the answer is `oversized`.
    """

    def __init__(self, method: str) -> None:
        self.done = False
        self.opaque = False
        self.oversized = False
        self._bodiless = method == "HEAD"
        self._parser = httptools.HttpResponseParser(self)
        self._clear()

    @property
    def answer(self) -> HttpAnswer:
        """The answer so far."""
        return HttpAnswer(self._status, tuple(self._headers), b"".join(self._body))

    def feed(self, data: bytes) -> None:
        """Reads on; afterwards the answer is `done`, or the stream `opaque`, or neither."""
        if self.done or self.opaque:
            return
        try:
            self._parser.feed_data(data)
        except UNREADABLE:
            self.opaque = not self.done

    def feed_eof(self) -> None:
        """The server closed: the end of an answer that is framed by nothing else."""
        if self._headed and not self._framed and not self.opaque:
            self.done = True

    def _clear(self) -> None:
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self._size = 0
        self._framed = False
        self._headed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.done:
            return
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))
        self._framed = self._framed or name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        if self.done:
            return
        self._status = self._parser.get_status_code()
        self._headed = self._status >= 200
        self.done = self._headed and self._bodiless

    def on_body(self, body: bytes) -> None:
        if self.done:
            return
        self._size += len(body)
        self.oversized = self._size > MESSAGE_BYTES_MAX
        if not self.oversized:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self._headed:
            self.done = True
        else:
            self._clear()
