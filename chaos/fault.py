"""What every fault is: a value that names the capability it needs and can be inflicted."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, Protocol

from chaos.capabilities import Undo


class Fault(Protocol):
    """A frozen dataclass."""

    needs: ClassVar[type]

    async def inflict(self, capability: Any, /) -> Undo:
        """Makes it happen, given what provides `needs`."""
        ...


def name_of(fault: object) -> str:
    """The fault's name in histories."""
    return kind_name(type(fault))


def kind_name(kind: type) -> str:
    """The name of all faults of that kind: `DropAnswer` is `drop-answer`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()


def describe(fault: object) -> dict[str, object]:
    """The fault as it stands in histories: its name, and its fields where they say something."""
    told: dict[str, object] = {"fault": name_of(fault)}
    if is_dataclass(fault):
        told |= {f.name: getattr(fault, f.name) for f in fields(fault)}
    return {key: value for key, value in told.items() if value is not None}
