"""The DTMS API as the core sees it: three calls. Adapters carry them over the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final, Protocol

BODY_BYTES_MAX = 1024 * 1024
"""A longer answer is none that the API gives."""


UNSENT_SHARE = 0.9
"""How much of a request's time may go by before it has a connection: when that is over, it was
certainly not sent."""


class Undecodable:
    """The body was not JSON."""

    def __repr__(self) -> str:
        return "UNDECODABLE"


UNDECODABLE: Final = Undecodable()


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: `body` decoded from JSON or UNDECODABLE; `retry_after_s` where given."""

    status: int
    body: object
    retry_after_s: float | None = None


class DtmsApi(Protocol):
    """Each call raises `NotSent` or `Unanswered`, and takes at most `timeout_s` seconds."""

    async def enable(
        self, payload: Mapping[str, object], *, timeout_s: float, correlation_id: str
    ) -> Answer:
        """POST /dtms/trade/enable."""
        ...

    async def lookup(self, ticket: int, *, timeout_s: float, correlation_id: str) -> Answer:
        """GET /dtms/trade/{ticket}."""
        ...

    async def health(self, *, timeout_s: float) -> Answer:
        """GET /dtms/health."""
        ...

    async def aclose(self) -> None:
        """Closes every connection."""
        ...


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds from a Retry-After header, given as seconds or as a date (RFC 9110, 10.2.3)."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (date - now).total_seconds()) if date.tzinfo is not None else None
