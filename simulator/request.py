"""Reading a registration, from bytes or objects: strictly, and naming the field that is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec

TICKET_MAX = 2**63 - 1
SYMBOL_CHARS_MAX = 32
VOLUME_MAX = 1000.0
PRICE_MAX = 1e12
"""No price of anything is higher; beyond it floats could no longer tell a stop from an entry."""

Ticket = Annotated[int, msgspec.Meta(ge=1, le=TICKET_MAX)]
Price = Annotated[float, msgspec.Meta(gt=0, le=PRICE_MAX)]


class EnableRequest(msgspec.Struct, frozen=True, gc=False):
    """A registration as the wire names it. Prices in the symbol's currency, volume in lots."""

    ticket: Ticket
    symbol: Annotated[str, msgspec.Meta(min_length=1, max_length=SYMBOL_CHARS_MAX)]
    direction: Literal["BUY", "SELL"]
    entry: Price
    volume: Annotated[float, msgspec.Meta(gt=0, le=VOLUME_MAX)]
    stop_loss: Price | None = None
    take_profit: Price | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request is refused: the parts of an error body, and the status."""

    status: int
    code: str
    message: str
    details: dict[str, object] = field(default_factory=dict)
    retry_after_s: int | None = None


def read_enable(body: bytes) -> EnableRequest | Problem:
    """The request, or why it is none: 400 where it is no JSON, 422 where a field is wrong."""
    try:
        request = _DECODER.decode(body)
    except msgspec.ValidationError as error:
        return _invalid(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Problem(400, "invalid_json", f"The body is not JSON: {error}")
    return _checked(request)


def read_enable_object(payload: object) -> EnableRequest | Problem:
    """The same from what was decoded already, as strictly: 422 where a field is wrong."""
    try:
        request = msgspec.convert(payload, EnableRequest, strict=True)
    except msgspec.ValidationError as error:
        return _invalid(str(error))
    return _checked(request)


def _checked(request: EnableRequest) -> EnableRequest | Problem:
    """What types cannot say."""
    if not request.symbol.isprintable():
        return _wrong("symbol", "must be printable")
    sign = 1 if request.direction == "BUY" else -1
    stop_loss, take_profit = request.stop_loss, request.take_profit
    if stop_loss is not None and sign * (request.entry - stop_loss) <= 0:
        return _wrong("stop_loss", f"is on the wrong side of the entry for a {request.direction}")
    if take_profit is not None and sign * (take_profit - request.entry) <= 0:
        return _wrong("take_profit", f"is on the wrong side of the entry for a {request.direction}")
    return request


_DECODER = msgspec.json.Decoder(EnableRequest, strict=True)
_PATH = re.compile(r"`\$\.?([A-Za-z_]*)[^`]*`")
_MISSING = re.compile(r"missing required field `([^`]+)`")


def _invalid(message: str) -> Problem:
    missing = _MISSING.search(message)
    path = _PATH.search(message)
    name = missing.group(1) if missing else path.group(1) if path else ""
    text = message.split(" - at ")[0]
    if not name:
        return Problem(422, "invalid_request", text, {"field": "body"})
    return _wrong(name, "is missing" if missing else text[:1].lower() + text[1:])


def _wrong(name: str, reason: str) -> Problem:
    return Problem(422, "invalid_request", f"{name}: {reason}", {"field": name})
