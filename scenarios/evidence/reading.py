"""Taking values out of what anybody may have written: the right type, or None."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

TICKET_DIGITS_MAX = 19
SECONDS_MAX = 1e9
EMPTY: Mapping[str, object] = {}


def integer(value: object) -> int | None:
    """A whole number; True and False are none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: object) -> float | None:
    """A finite number; True and False are none."""
    if type(value) is float:
        return value if isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        real = float(value)
    except OverflowError:
        return None
    return real if isfinite(real) else None


def seconds(value: object) -> float | None:
    """A duration that somebody can have meant: a number from 0 to SECONDS_MAX."""
    told = number(value)
    return told if told is not None and 0 <= told <= SECONDS_MAX else None


def text(value: object) -> str | None:
    """A string."""
    return value if isinstance(value, str) else None


def mapping(value: object) -> Mapping[str, object]:
    """An object; anything else has no fields."""
    return value if isinstance(value, dict) else EMPTY


def items(value: object) -> tuple[object, ...]:
    """A list's items; anything else has none."""
    return tuple(value) if isinstance(value, list | tuple) else ()


def ticket_key(key: object) -> int | None:
    """The ticket that a JSON object's key stands for."""
    if not isinstance(key, str) or not key.isascii() or not key.isdigit():
        return None
    return int(key) if len(key) <= TICKET_DIGITS_MAX else None


def by_ticket(value: object) -> dict[int, object]:
    """An object keyed by tickets; what is keyed by anything else is left out."""
    keyed = ((ticket_key(key), held) for key, held in mapping(value).items())
    return {ticket: held for ticket, held in keyed if ticket is not None}
