"""What the operations of a history say to each model, by the object they are about.

What certainly did not happen is left out, and so is what tells nothing and changes nothing, such as
a read of which nobody heard.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from types import MappingProxyType

from scenarios.edn import Keyword
from scenarios.history import Call, History
from scenarios.linearizability.model import UNKNOWN, Operation
from scenarios.linearizability.registrations import registrations

DEPTH_MAX = 100
Objects = dict[Hashable, list[Operation]]


class UnfitHistory(ValueError):
    """The history does not hold what the model is about; the message says what is missing."""


def objects_of(model: str, history: History) -> Objects:
    """The operations by object. Raises `UnfitHistory` where there are none, or they cannot be
    read, and `KeyError` for a model that there is not."""
    objects: Objects = {}
    for key, operation in _READERS[model](history):
        objects.setdefault(key, []).append(operation)
    if not any(o.ended is not None for operations in objects.values() for o in operations):
        raise UnfitHistory(f"there is nothing in it that the model {model} is about")
    return objects


def _of_one_object(
    kinds: Mapping[str, Callable[[Call], Operation | None]],
) -> Callable[[History], Iterator[tuple[Hashable, Operation]]]:
    def read(history: History) -> Iterator[tuple[Hashable, Operation]]:
        for call in history.calls():
            understand = kinds.get(call.invoke.f)
            if understand is None:
                known = " and ".join(kinds)
                raise UnfitHistory(
                    f"operation {call.invoke.index} is a {call.invoke.f}; the model knows {known}"
                )
            if (operation := understand(call)) is not None:
                yield None, operation

    return read


def _read(call: Call) -> Operation | None:
    if call.ended != "ok":
        return None
    assert call.completion is not None
    return _operation(call, None, frozen(call.completion.value))


def _read_set(call: Call) -> Operation | None:
    if call.ended != "ok":
        return None
    assert call.completion is not None
    elements = call.completion.value
    if not isinstance(elements, list | tuple | frozenset):
        raise UnfitHistory(f"operation {call.completion.index} reads no set: {elements!r:.80}")
    return _operation(call, None, frozenset(frozen(element) for element in elements))


def _change(call: Call) -> Operation | None:
    """A write or an add."""
    return None if call.ended == "fail" else _operation(call, frozen(call.invoke.value), None)


def _cas(call: Call) -> Operation | None:
    """One that failed may have failed for another reason than another value: it tells nothing."""
    pair = frozen(call.invoke.value)
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise UnfitHistory(
            f"operation {call.invoke.index} is no pair to compare and set: {pair!r:.80}"
        )
    return None if call.ended == "fail" else _operation(call, pair, True)


def _operation(call: Call, asked: Hashable, outcome: Hashable) -> Operation:
    """With its outcome where it ended well, of unknown outcome else."""
    invoke, completion = call.invoke, call.completion
    if completion is None or completion.type != "ok":
        return Operation(invoke.f, asked, UNKNOWN, invoke.index, None)
    return Operation(invoke.f, asked, outcome, invoke.index, completion.index)


def frozen(value: object, depth: int = 0) -> Hashable:
    """The value as one that can be hashed, and is equal only to what is the same: true is not 1.

    Raises `UnfitHistory` for what is nested too deeply."""
    if depth > DEPTH_MAX:
        raise UnfitHistory("a value in it is nested too deeply")
    if isinstance(value, list | tuple):
        return tuple(frozen(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return frozenset((name, frozen(item, depth + 1)) for name, item in value.items())
    if isinstance(value, bool):
        return Keyword(str(value).lower())
    assert isinstance(value, Hashable)
    return value


_REGISTER = {"read": _read, "write": _change, "cas": _cas}

_READERS: Mapping[str, Callable[[History], Iterator[tuple[Hashable, Operation]]]] = (
    MappingProxyType(
        {
            "registration": registrations,
            "register": _of_one_object({"read": _read, "write": _change}),
            "cas-register": _of_one_object(_REGISTER),
            "set": _of_one_object({"add": _change, "read": _read_set}),
        }
    )
)
