"""The terms of a trade, whoever spells them how. Shares no code with client or server."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose

import msgspec

from scenarios.evidence.reading import mapping, number, text

PRECISION = 1e-9
"""Two prices that differ by less than this share of themselves are the same."""

_ENTRY = ("entry_price", "price_executed", "price", "entry")
_VOLUME = ("volume", "lot")
_STOP_LOSS = ("stop_loss", "sl", "final_sl")
_TAKE_PROFIT = ("take_profit", "tp", "final_tp")
"""How it is spelled; the first that holds a number counts."""


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What makes two registrations of a ticket the same trade."""

    symbol: str
    direction: str
    entry: float
    volume: float
    stop_loss: float | None
    take_profit: float | None

    @classmethod
    def of(cls, value: object) -> Terms | None:
        """The terms in `value`, in any accepted spelling, also under `details`.

        None where one that is needed is missing or of a wrong type.
        """
        told = mapping(value)
        details = told.get("details")
        nested = {**details, **told} if isinstance(details, dict) else told
        symbol, direction = text(nested.get("symbol")), text(nested.get("direction"))
        entry, volume = _first(nested, _ENTRY), _first(nested, _VOLUME)
        if symbol is None or direction is None or entry is None or volume is None:
            return None
        return cls(
            symbol=symbol,
            direction=direction.upper(),
            entry=entry,
            volume=volume,
            stop_loss=_first(nested, _STOP_LOSS),
            take_profit=_first(nested, _TAKE_PROFIT),
        )

    def difference(self, other: Terms) -> str:
        """The first field that differs, with both values; empty where none does."""
        if self == other:
            return ""
        for name in _NAMES:
            mine, theirs = getattr(self, name), getattr(other, name)
            if not _same(mine, theirs):
                return f"{name} {_word(mine)} and {_word(theirs)}"
        return ""

    def same(self, other: Terms) -> bool:
        """Whether nothing differs."""
        return not self.difference(other)

    @property
    def possible(self) -> bool:
        """Whether a broker could have executed it: stops on the right side, sizes above zero."""
        if not self.symbol or self.direction not in _SIGN or self.entry <= 0 or self.volume <= 0:
            return False
        sign = _SIGN[self.direction]
        return all(
            price is None or (price > 0 and (price - self.entry) * side > 0)
            for price, side in ((self.stop_loss, -sign), (self.take_profit, sign))
        )


_NAMES = Terms.__struct_fields__
_SIGN = {"BUY": 1, "SELL": -1}


def _first(told: Mapping[str, object], spellings: tuple[str, ...]) -> float | None:
    for spelling in spellings:
        if (given := told.get(spelling)) is not None and (value := number(given)) is not None:
            return value
    return None


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=PRECISION)
    return one == other


def _word(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
