"""The broker as DTMS sees it: open positions, or no data. Never "none" for "don't know"."""

from __future__ import annotations

import asyncio
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from simulator.request import EnableRequest

BODY_BYTES_MAX = 64 * 1024 * 1024


class NoData(Exception):
    """The broker was not reached, or did not say which positions are open."""


class Broker(Protocol):
    """What DTMS asks of a broker."""

    async def positions(self) -> dict[int, EnableRequest]:
        """Every open position by ticket. Raises `NoData`."""
        ...


class Registry(Protocol):
    """What DTMS asks of the trade registry."""

    async def is_owned_elsewhere(self, ticket: int) -> bool | None:
        """Whether another manager owns the ticket; None when that cannot be told."""
        ...


class _Position(msgspec.Struct):
    ticket: int
    symbol: str
    direction: str
    entry_price: float
    volume: float
    stop_loss: float | None = None
    take_profit: float | None = None


class _Positions(msgspec.Struct):
    positions: list[_Position] | None


class _Owner(msgspec.Struct):
    managed_by: str


class HttpBroker:
    """A broker behind `GET {url}/positions`."""

    def __init__(self, url: str, timeout_s: float = 2.0) -> None:
        self._url = url
        self._timeout_s = timeout_s

    async def positions(self) -> dict[int, EnableRequest]:
        return read_positions(*await get(f"{self._url}/positions", self._timeout_s))


class HttpRegistry:
    """The trade registry of the main API, asked who other than DTMS owns a ticket."""

    def __init__(self, url: str, timeout_s: float = 2.0) -> None:
        self._url = url
        self._timeout_s = timeout_s

    async def is_owned_elsewhere(self, ticket: int) -> bool | None:
        url = f"{self._url}/trade-registry/{ticket}?except=dtms_manager"
        try:
            status, body = await get(url, self._timeout_s)
            owner = _OWNER.decode(body).managed_by if status == 200 else None
        except (NoData, msgspec.DecodeError, UnicodeDecodeError):
            return None
        return None if owner is None else owner not in {"", "dtms_manager"}


def read_positions(status: int, body: object) -> dict[int, EnableRequest]:
    """What a broker's answer says; `body` is JSON or an object. Raises `NoData`."""
    if status != 200:
        raise NoData(f"the broker answered with status {status}")
    try:
        if isinstance(body, bytes):
            answered = _POSITIONS.decode(body).positions
        else:
            answered = msgspec.convert(body, _Positions).positions
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NoData(f"the broker's answer cannot be read: {error}") from error
    if answered is None:
        raise NoData("the broker has no data")
    return {position.ticket: _request(position) for position in answered}


_POSITIONS = msgspec.json.Decoder(_Positions)
_OWNER = msgspec.json.Decoder(_Owner)


def _request(position: _Position) -> EnableRequest:
    """The broker's word is not checked against the contract: it is what is at risk."""
    return EnableRequest(
        position.ticket,
        position.symbol,
        position.direction,  # type: ignore[arg-type]
        position.entry_price,
        position.volume,
        position.stop_loss,
        position.take_profit,
    )


async def get(url: str, timeout_s: float) -> tuple[int, bytes]:
    """Status and body of a plain GET, over a connection of its own. Raises `NoData`.

    DTMS asks seldom, and starts faster without a client library.
    """
    parts = urlsplit(url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(
                parts.hostname, parts.port or 80, limit=BODY_BYTES_MAX
            )
            try:
                request = f"GET {path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n"
                writer.write(request.encode("ascii"))
                answer = await reader.read(BODY_BYTES_MAX)
                while chunk := await reader.read(BODY_BYTES_MAX - len(answer)):
                    answer += chunk
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        raise NoData(f"{url}: {type(error).__name__}: {error}".rstrip(": ")) from error
    head, separator, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if not separator or len(words) < 2 or not words[1].isdigit():
        raise NoData(f"{url}: the answer is not HTTP")
    fields = _fields(head)
    if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
        # Not meant for HTTP/1.0; servers that know no length do it all the same.
        whole = _unchunked(body)
    else:
        length = fields.get(b"content-length", b"")
        whole = body if not length.isdigit() or int(length) == len(body) else None
    if whole is None:
        raise NoData(f"{url}: the answer is cut off")
    return int(words[1]), whole


def _fields(head: bytes) -> dict[bytes, bytes]:
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _unchunked(body: bytes) -> bytes | None:
    """What the chunks hold (RFC 9112, 7.1); None where the last one is missing."""
    parts: list[bytes] = []
    while True:
        size, separator, rest = body.partition(b"\r\n")
        try:
            length = int(size.partition(b";")[0], 16)
        except ValueError:
            return None
        if not separator or not 0 <= length <= len(rest):
            return None
        if length == 0:
            return b"".join(parts)
        parts.append(rest[:length])
        body = rest[length:].removeprefix(b"\r\n")
