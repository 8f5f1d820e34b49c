"""Lanes of operations as data that JSON can hold, and back. Faults have `chaos.notation`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from math import inf

import msgspec

from scenarios.bad_input import BAD_BODIES
from scenarios.workload import (
    BadInput,
    Close,
    ClosePosition,
    Execute,
    Lane,
    Operation,
    Register,
    Wait,
)

OPERATIONS: dict[str, type[Operation]] = {
    "execute": Execute,
    "register": Register,
    "close": Close,
    "close-position": ClosePosition,
    "wait": Wait,
    "bad-input": BadInput,
}
_NAMES = {kind: name for name, kind in OPERATIONS.items()}


def encode_lanes(lanes: Sequence[Lane]) -> list[dict[str, object]]:
    """One object a lane, its operations by name."""
    return [
        {
            "service": lane.service,
            "at_s": lane.at_s,
            "operations": [
                {"op": _NAMES[type(operation)], **msgspec.to_builtins(operation)}
                for operation in lane.operations
            ],
        }
        for lane in lanes
    ]


def decode_lanes(data: object) -> tuple[Lane, ...]:
    """Raises `ValueError` naming what is wrong."""
    if not isinstance(data, list):
        raise ValueError(f"lanes are a list, not {type(data).__name__}")
    return tuple(_lane(lane) for lane in data)


def _lane(data: object) -> Lane:
    if not isinstance(data, dict) or set(data) != {f.name for f in fields(Lane)}:
        raise ValueError(f"a lane has service, at_s and operations; this is {str(data)[:80]}")
    operations = data["operations"]
    if not isinstance(operations, list):
        raise ValueError("the operations of a lane are a list")
    try:
        service = msgspec.convert(data["service"], str)
        at_s = msgspec.convert(data["at_s"], float)
    except msgspec.ValidationError as error:
        raise ValueError(f"lane: {error}") from error
    if not 0 <= at_s < inf:
        raise ValueError(f"a lane cannot begin at {at_s} s")
    return Lane(service, at_s, tuple(_operation(operation) for operation in operations))


def _operation(data: object) -> Operation:
    name = data.get("op") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(name, str) or name not in OPERATIONS:
        raise ValueError(f"there is no operation {name!r}; there are {', '.join(OPERATIONS)}")
    given = {key: value for key, value in data.items() if key != "op"}
    kind = OPERATIONS[name]
    unknown = sorted(set(given) - {f.name for f in fields(kind)})
    if unknown:
        raise ValueError(f"{name} has no {unknown[0]}")
    try:
        operation: Operation = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{name}: {error}") from error
    if isinstance(operation, BadInput) and operation.case not in BAD_BODIES:
        raise ValueError(f"{name}: there is no case {operation.case!r}")
    if isinstance(operation, Wait) and not 0 <= operation.for_s < inf:
        raise ValueError(f"{name}: nobody waits for {operation.for_s} s")
    return operation
