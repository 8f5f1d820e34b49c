"""Bodies as values."""

from __future__ import annotations

import msgspec

DECODE = msgspec.json.Decoder().decode


def decoded(body: bytes) -> object:
    """The JSON value, or the text where it is no JSON (undecodable bytes replaced), or None."""
    if not body:
        return None
    try:
        return DECODE(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode("utf-8", "replace")
