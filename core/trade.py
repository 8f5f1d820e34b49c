"""A trade as the broker executed it, and how the shapes that services use are brought to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from core.errors import TradeRefused

TICKET_MAX = 2**63 - 1
SYMBOL_CHARS_MAX = 32
VOLUME_MAX = 1000.0

ENTRY_NAMES = ("entry_price", "price_executed", "price", "entry")
STOP_LOSS_NAMES = ("stop_loss", "sl", "final_sl")
TAKE_PROFIT_NAMES = ("take_profit", "tp", "final_tp")
VOLUME_NAMES = ("volume", "lot")


class Direction(StrEnum):
    """Which way the position goes."""

    BUY = "BUY"
    SELL = "SELL"


@dataclass(frozen=True, slots=True)
class Trade:
    """Prices in the symbol's currency, `volume` in lots; stops are None where there are none."""

    ticket: int
    symbol: str
    direction: Direction
    entry: float
    volume: float
    stop_loss: float | None = None
    take_profit: float | None = None
    strategy_type: str | None = None

    def is_same_position(self, other: Trade) -> bool:
        """Whether both are one position at the broker, which knows nothing of strategies."""
        return replace(self, strategy_type=other.strategy_type) == other


def normalise(ticket: object, trade_data: Mapping[str, object]) -> Trade:
    """The trade in any accepted shape: fields at the top level or under `details`.

    Zero is a value, not "missing": where a name is present its value counts. Raises
    `TradeRefused`, naming the field, for anything that the API could only refuse.
    """
    if not isinstance(trade_data, dict | Mapping):
        raise TradeRefused("trade", "must be an object")
    details = trade_data.get("details")
    places = (trade_data, details) if isinstance(details, dict | Mapping) else (trade_data,)
    direction = _direction(_first(places, ("direction",)))
    entry = _price("entry", _first(places, ENTRY_NAMES))
    if entry is None:
        raise TradeRefused("entry", "is missing")
    stop_loss = _price("stop_loss", _first(places, STOP_LOSS_NAMES))
    take_profit = _price("take_profit", _first(places, TAKE_PROFIT_NAMES))
    _check_sides(direction, entry, stop_loss, take_profit)
    return Trade(
        ticket=_ticket(ticket),
        symbol=_symbol(_first(places, ("symbol",))),
        direction=direction,
        entry=entry,
        volume=_volume(_first(places, VOLUME_NAMES)),
        stop_loss=stop_loss,
        take_profit=take_profit,
        strategy_type=_strategy(_first(places, ("strategy_type",))),
    )


def _first(places: tuple[Mapping[str, object], ...], names: tuple[str, ...]) -> object:
    """The first value that is given under any of the names; None where none is."""
    for place in places:
        for name in names:
            value = place.get(name)
            if value is not None:
                return value
    return None


def _ticket(value: object) -> int:
    if type(value) is not int:
        raise TradeRefused("ticket", f"must be an integer, not {type(value).__name__}")
    if not 1 <= value <= TICKET_MAX:
        raise TradeRefused("ticket", f"must be from 1 to {TICKET_MAX}")
    return value


def _symbol(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TradeRefused("symbol", "must be a non-empty string")
    if len(value) > SYMBOL_CHARS_MAX or not value.isprintable():
        raise TradeRefused("symbol", f"must be at most {SYMBOL_CHARS_MAX} printable characters")
    return value


def _direction(value: object) -> Direction:
    if isinstance(value, str) and value.upper() in Direction.__members__:
        return Direction(value.upper())
    raise TradeRefused("direction", "must be BUY or SELL")


def _price(field: str, value: object) -> float | None:
    if value is None:
        return None
    number = _number(field, value)
    if number <= 0:
        raise TradeRefused(field, "must be above 0")
    return number


def _volume(value: object) -> float:
    if value is None:
        raise TradeRefused("volume", "is missing")
    number = _number("volume", value)
    if not 0 < number <= VOLUME_MAX:
        raise TradeRefused("volume", f"must be above 0 and at most {VOLUME_MAX:.0f}")
    return number


def _number(field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TradeRefused(field, f"must be a number, not {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError as error:
        raise TradeRefused(field, "is too large") from error
    if not math.isfinite(number):
        raise TradeRefused(field, "must be finite")
    return number


def _strategy(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise TradeRefused("strategy_type", "must be a string")
    return value


def _check_sides(
    direction: Direction, entry: float, stop_loss: float | None, take_profit: float | None
) -> None:
    """Stops stand where they protect: below the entry of a BUY, above that of a SELL."""
    buys = direction is Direction.BUY
    if stop_loss is not None and (stop_loss >= entry if buys else stop_loss <= entry):
        raise TradeRefused("stop_loss", f"is on the wrong side of the entry for a {direction}")
    if take_profit is not None and (take_profit <= entry if buys else take_profit >= entry):
        raise TradeRefused("take_profit", f"is on the wrong side of the entry for a {direction}")
