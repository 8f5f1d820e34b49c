"""A fault by the name and the values that a test gives, or a sentence that says what there is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from typing import Any, get_args, get_type_hints

from chaos.fault import Fault, kind_name
from chaos.notation import KINDS, decode_fault

LINK = "*->dtms"
ACTOR = "dtms"
_GIVEN = {"link": LINK, "actor": ACTOR}
"""What a test need not say: it has one link and one server."""
_BY_CLASS = {kind.__name__: kind for kind in KINDS.values()}


class FaultUnknown(ValueError):
    """There is no such fault, or not with these values; the message lists what there is."""


def named_fault(name: str, values: Mapping[str, object], offered: Collection[type]) -> Fault:
    """`DropAnswer`, or `drop-answer`, with these values; link and server need not be given.

    `offered` are the capabilities of the world. Raises `FaultUnknown`."""
    kind = _BY_CLASS.get(name) or KINDS.get(name)
    if kind is None:
        near = get_close_matches(name, _BY_CLASS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise FaultUnknown(f"There is no fault {name!r}.{hint} {_there_are(offered)}")
    if kind.needs not in offered:
        raise FaultUnknown(
            f"{kind.__name__} needs {kind.needs.__name__}, which this server does not offer. "
            f"{_there_are(offered)}"
        )
    known = {field.name for field in fields(kind)}
    for value in values:
        if value not in known:
            raise FaultUnknown(f"{kind.__name__} has no value {value!r}. {takes(kind)}")
    given = {value: said for value, said in _GIVEN.items() if value in known}
    try:
        return decode_fault({"fault": kind_name(kind), **given, **values})
    except ValueError as error:
        raise FaultUnknown(f"{str(error).rstrip('.')}. {takes(kind)}") from error


def takes(kind: type[Any]) -> str:
    """A sentence with every value of the fault: its name, what it may be, and its default."""
    hints = get_type_hints(kind)
    told = [f"{f.name}: {_words(hints[f.name])}{_default(f)}" for f in fields(kind)]
    return f"{kind.__name__} takes {'; '.join(told)}."


def _there_are(offered: Collection[type]) -> str:
    return f"There are: {', '.join(n for n, kind in _BY_CLASS.items() if kind.needs in offered)}."


def _default(field: Field[Any]) -> str:
    default = _GIVEN.get(field.name, field.default)
    return "" if default is MISSING else f" = {default!r}"


def _words(hint: Any) -> str:
    """`'hang' | 'reset'`, `int | None`, `float`."""
    options = get_args(hint)
    if not options or hasattr(hint, "__mro__"):
        return getattr(hint, "__name__", str(hint))
    if all(isinstance(option, str) for option in options):
        return " | ".join(map(repr, options))
    if any(option is type(None) for option in options):
        return " | ".join("None" if option is type(None) else _words(option) for option in options)
    return str(hint).replace("typing.", "").replace("collections.abc.", "")
