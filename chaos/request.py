"""A registration request as rules see it, wherever it travels."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

Operation = Literal["enable", "lookup", "health", "close", "other"]
Op = Literal["enable", "lookup", "health", "close", "other", "any"]
OPS: Final[frozenset[str]] = frozenset({"enable", "lookup", "health", "close", "other", "any"})

TRADE_PATH = re.compile(r"/dtms/trade/(\d{1,19})")


class RequestView(msgspec.Struct, frozen=True, gc=False):
    """One request: what it asks, about which ticket, and the how-manieth of its kind it is.

    `attempt` counts from 0 the requests of the same operation about the same ticket on the link.
    `payload` is the decoded JSON body, None where there is none.
    """

    link: str
    op: Operation
    method: str
    path: str
    ticket: int | None
    attempt: int
    payload: object = None

    @property
    def key(self) -> str:
        """What draws about this request are keyed by: `bot->dtms POST /dtms/... 1001 #0`."""
        return f"{self.link} {self.method} {self.path} {self.ticket} #{self.attempt}"


def classify(method: str, path: str, payload: object) -> tuple[Operation, int | None]:
    """Operation and ticket of a request to the DTMS API, by its contract."""
    if path == "/dtms/trade/enable":
        return ("enable" if method == "POST" else "other"), _ticket_in(payload)
    if (trade := TRADE_PATH.fullmatch(path)) is not None:
        ticket = int(trade[1])
        if method == "GET":
            return "lookup", ticket
        return ("close" if method == "DELETE" else "other"), ticket
    if method == "GET" and path in ("/health", "/dtms/health"):
        return "health", None
    return "other", _ticket_in(payload)


def _ticket_in(payload: object) -> int | None:
    """The ticket that a body names; a string of digits is no ticket."""
    ticket = payload.get("ticket") if isinstance(payload, dict) else None
    return ticket if isinstance(ticket, int) and not isinstance(ticket, bool) else None
