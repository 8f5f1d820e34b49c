"""As much of EDN, Clojure's data as text, as histories hold: nil, booleans, numbers, strings,
keywords, vectors, lists, sets and maps."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

DEPTH_MAX = 100
TOKEN = re.compile(r'[\s,]*(#\{|[\[\](){}]|"(?:\\.|[^"\\])*"|[^\s,\[\](){}"]+)')
INTEGER = re.compile(r"[+-]?\d{1,400}N?")
FLOAT = re.compile(r"[+-]?\d{1,400}(\.\d*)?([eE][+-]?\d{1,3})?M?")
CLOSED_BY = {"[": "]", "(": ")", "#{": "}", "{": "}"}


class EdnRefused(ValueError):
    """The text is no EDN that is known here; the message says what is wrong."""


class Keyword(msgspec.Struct, frozen=True):
    """`:timed-out`."""

    name: str

    def __str__(self) -> str:
        return f":{self.name}"


def read_edn(text: str) -> tuple[object, str]:
    """The first value of the text, and the text behind it. Vectors and lists are lists, sets
    frozensets. Raises `EdnRefused`."""
    value, at = _value(text, 0, 0)
    return value, text[at:]


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    token, at = _token(text, at)
    closing = CLOSED_BY.get(token)
    if closing is None:
        return _scalar(token), at
    if depth >= DEPTH_MAX:
        raise EdnRefused("nested too deeply")
    items: list[Any] = []
    while True:
        following, behind = _token(text, at)
        if following == closing:
            return _collected(token, items), behind
        item, at = _value(text, at, depth + 1)
        items.append(item)


def _token(text: str, at: int) -> tuple[str, int]:
    found = TOKEN.match(text, at)
    if found is None:
        raise EdnRefused(f"the value is cut off: {text[:80]!r}")
    return found[1], found.end()


def _collected(opening: str, items: list[Any]) -> object:
    if opening in "[(":
        return items
    try:
        if opening == "#{":
            return frozenset(items)
        if len(items) % 2:
            raise EdnRefused("a map has a key without a value")
        return dict(zip(items[::2], items[1::2], strict=True))
    except TypeError as error:
        raise EdnRefused("a set, or the keys of a map, hold what is too complex here") from error


def _scalar(token: str) -> object:
    if token in ("nil", "true", "false"):
        return {"nil": None, "true": True, "false": False}[token]
    if token.startswith(":") and len(token) > 1:
        return Keyword(token[1:])
    if token.startswith('"'):
        return _string(token)
    if INTEGER.fullmatch(token):
        return int(token.rstrip("N"))
    if FLOAT.fullmatch(token):
        return float(token.rstrip("M"))
    raise EdnRefused(f"{token[:40]!r} is no value that is known here")


def _string(token: str) -> str:
    try:
        text: str = json.loads(token)
        text.encode()
    except ValueError as error:
        raise EdnRefused(f"{token[:40]} is no text: {error}") from error
    return text
