"""Faults and schedules as JSON values, and back: how failures are kept and replayed.

A fault is written as histories call it, with the fields that are not at their defaults:
`{"fault": "kill", "actor": "dtms"}`. What is scheduled has windows, or a request that it comes
after:

    {"fault": {...}, "windows": [[0.2, 1.5], [3.0, null]]}
    {"fault": {...}, "after_request": 3, "op": "lookup", "for_s": 0.5}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

import msgspec

import chaos.faults
from chaos.fault import Fault, kind_name, name_of
from chaos.refusal import refuse_unless
from chaos.request import Op
from chaos.schedule import AfterRequest, Scheduled, Timed, Window, after_request, at, during

KINDS: dict[str, type[Any]] = {
    kind_name(kind): kind for kind in (getattr(chaos.faults, name) for name in chaos.faults.__all__)
}
"""Every fault that can be written, by its name."""


def encode_schedule(schedule: Sequence[Scheduled]) -> list[dict[str, object]]:
    """The schedule as JSON values. Raises `ValueError` as `encode_fault` does."""
    return [_encode_scheduled(scheduled) for scheduled in schedule]


def decode_schedule(data: object) -> tuple[Scheduled, ...]:
    """The schedule that was written so. Raises `ValueError` saying what is wrong, and where."""
    decoded = []
    for number, one in enumerate(_typed(data, list[object], "a schedule")):
        try:
            decoded.append(_decode_scheduled(one))
        except ValueError as error:
            raise ValueError(f"Number {number} (from 0) of the schedule: {error}") from error
    return tuple(decoded)


def encode_fault(fault: Fault) -> dict[str, object]:
    """The fault's name, and its fields that are not at their defaults.

    Raises `ValueError` for what would not come back as it is: a fault that is not one of
    `chaos.faults`, or one with values that JSON does not have."""
    name = name_of(fault)
    refuse_unless(KINDS.get(name) is type(fault), f"{fault!r} is none of the faults in KINDS.")
    told: dict[str, object] = {"fault": name}
    for field in fields(KINDS[name]):
        value = getattr(fault, field.name)
        if value != field.default:
            told[field.name] = _as_json(value, f"{field.name} of {name}")
    refuse_unless(decode_fault(told) == fault, f"{fault!r} would not come back as it is.")
    return told


def decode_fault(data: object) -> Fault:
    """The fault that was written so. Raises `ValueError` saying what is wrong."""
    told = _fields(data, "a fault")
    name = _typed(_taken(told, "fault", "a fault"), str, "the name of a fault")
    refuse_unless(name in KINDS, f"There is no fault {name!r}; there are {', '.join(KINDS)}.")
    kind = KINDS[name]
    known = {field.name: field.default for field in fields(kind)}
    _refuse_the_rest({key: value for key, value in told.items() if key not in known}, name)
    for needed in (key for key, default in known.items() if default is MISSING):
        refuse_unless(needed in told, f"{name} needs the field {needed!r}.")
    hints = get_type_hints(kind)
    fault: Fault = kind(**{k: _typed(v, hints[k], f"{k} of {name}") for k, v in told.items()})
    return fault


def _encode_scheduled(scheduled: Scheduled) -> dict[str, object]:
    told: dict[str, object] = {"fault": encode_fault(scheduled.fault)}
    match scheduled:
        case Timed(windows=windows):
            told["windows"] = [[window.start_s, window.end_s] for window in windows]
        case AfterRequest(n=n, for_s=for_s, op=op):
            told["after_request"] = n
            if op != "enable":
                told["op"] = op
            if for_s is not None:
                told["for_s"] = for_s
    return told


def _decode_scheduled(data: object) -> Scheduled:
    told = _fields(data, "what is scheduled")
    fault = decode_fault(_taken(told, "fault", "what is scheduled"))
    if "windows" in told:
        windows = _typed(told.pop("windows"), list[list[object]], "windows")
        _refuse_the_rest(told, "what has windows")
        return Timed(fault, tuple(_window(fault, bounds) for bounds in windows))
    n = _typed(_taken(told, "after_request", "what has no windows"), int, "after_request")
    op: Op = _typed(told.pop("op", "enable"), Op, "op")
    for_s = _typed(told.pop("for_s", None), float | None, "for_s")
    _refuse_the_rest(told, "what comes after a request")
    return after_request(n, fault, op=op, for_s=for_s)


def _window(fault: Fault, bounds: list[object]) -> Window:
    """One that makes sense; what does not is refused as it is where schedules are made."""
    refuse_unless(len(bounds) == 2, f"A window has a beginning and an end, not {bounds}.")
    start_s = _typed(bounds[0], float, "the beginning of a window")
    end_s = _typed(bounds[1], float | None, "the end of a window")
    made = at(start_s, fault) if end_s is None else during(start_s, end_s, fault)
    assert isinstance(made, Timed)
    return made.windows[0]


def _fields(data: object, what: str) -> dict[str, object]:
    return dict(_typed(data, dict[str, object], what))


def _taken(told: dict[str, object], key: str, what: str) -> object:
    refuse_unless(key in told, f"{what} needs the field {key!r}.")
    return told.pop(key)


def _refuse_the_rest(told: Mapping[str, object], what: str) -> None:
    for unknown in told:
        raise ValueError(f"{what} has no field {unknown!r}.")


def _as_json(value: object, what: str) -> object:
    try:
        return msgspec.json.decode(msgspec.json.encode(value))
    except (TypeError, OverflowError, UnicodeEncodeError) as error:
        raise ValueError(f"{what} cannot be written as JSON: {error}") from error


def _typed(value: object, hint: Any, what: str) -> Any:
    """The value as the hint has it. What is right as it stands stays so: 2 is not made 2.0."""
    try:
        typed = msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        raise ValueError(f"{what}: {error}") from error
    return value if value == typed else typed
