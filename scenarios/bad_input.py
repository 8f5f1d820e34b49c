"""Broken bodies for `POST /dtms/trade/enable`, by name, with the answers the contract allows.

Each would register BAD_TICKET if a server let it through.
"""

from __future__ import annotations

from dataclasses import dataclass

BAD_TICKET = 900_001

_GOOD = (
    '"ticket": 900001, "symbol": "XAUUSD", "direction": "BUY", "entry": 2350.0, "volume": 0.1, '
    '"stop_loss": 2340.0, "take_profit": 2370.0'
)


@dataclass(frozen=True, slots=True)
class BadBody:
    """`body` as sent, and the statuses that refuse it properly."""

    body: bytes
    expected: tuple[int, ...]


def _swap(old: str, new: str) -> bytes:
    swapped = _GOOD.replace(old, new)
    if swapped == _GOOD:
        raise ValueError(f"{old} is not in the good body")
    return f"{{{swapped}}}".encode()


BAD_BODIES: dict[str, BadBody] = {
    "empty": BadBody(b"", (400, 422)),
    "truncated": BadBody(f"{{{_GOOD}".encode(), (400, 422)),
    "not-utf8": BadBody(b'{"ticket": 900001, "symbol": "\xff\xfe"}', (400, 422)),
    "not-an-object": BadBody(b"[900001]", (422,)),
    "string-ticket": BadBody(_swap("900001", '"900001"'), (422,)),
    "float-ticket": BadBody(_swap("900001", "900001.5"), (422,)),
    "boolean-ticket": BadBody(_swap("900001", "true"), (422,)),
    "zero-ticket": BadBody(_swap("900001", "0"), (422,)),
    "huge-ticket": BadBody(_swap("900001", "9223372036854775808"), (422,)),
    "nan-entry": BadBody(_swap('"entry": 2350.0', '"entry": NaN'), (400, 422)),
    "infinite-volume": BadBody(_swap('"volume": 0.1', '"volume": Infinity'), (400, 422)),
    "overflowing-entry": BadBody(_swap('"entry": 2350.0', '"entry": 1e999'), (400, 422)),
    "negative-volume": BadBody(_swap('"volume": 0.1', '"volume": -0.1'), (422,)),
    "volume-too-large": BadBody(_swap('"volume": 0.1', '"volume": 1000.01'), (422,)),
    "missing-entry": BadBody(_swap('"entry": 2350.0, ', ""), (422,)),
    "null-entry": BadBody(_swap('"entry": 2350.0', '"entry": null'), (422,)),
    "long-symbol": BadBody(_swap("XAUUSD", "X" * 33), (422,)),
    "empty-symbol": BadBody(_swap("XAUUSD", ""), (422,)),
    "lone-surrogate": BadBody(_swap("XAUUSD", "\\ud800"), (400, 422)),
    "unknown-direction": BadBody(_swap('"BUY"', '"LONG"'), (422,)),
    "stop-on-wrong-side": BadBody(_swap("2340.0", "2360.0"), (422,)),
    "target-on-wrong-side": BadBody(_swap("2370.0", "2330.0"), (422,)),
    "deep-nesting": BadBody(b'{"ticket":' * 10_000 + b"1" + b"}" * 10_000, (400, 413, 422)),
    "too-large": BadBody(f'{{{_GOOD}, "note": "{"x" * 66_000}"}}'.encode(), (413,)),
}
