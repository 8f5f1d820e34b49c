"""`datetime` as a target's modules see it: the present is the simulation's."""

from __future__ import annotations

import datetime
import time
from types import ModuleType
from typing import Any


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime.datetime)


class VirtualDatetime(datetime.datetime, metaclass=_AnyDatetime):
    """The class of the standard library, but for the present. It makes plain datetimes."""

    def __new__(cls, *args: Any, **named: Any) -> Any:
        return datetime.datetime(*args, **named)

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        """`time.time()` is the loop's during a run."""
        return datetime.datetime.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return datetime.datetime.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> Any:
        return cls.now()


VIRTUAL_MODULE = ModuleType("datetime", datetime.__doc__)
vars(VIRTUAL_MODULE).update({**vars(datetime), "datetime": VirtualDatetime})


def set_clock(module: ModuleType) -> None:
    """`datetime.now` cannot be exchanged in the class; so the class is, where the module holds it,
    and the module `datetime` likewise. What a module asks while it is loaded is not covered."""
    for name, value in tuple(vars(module).items()):
        if value is datetime.datetime:
            setattr(module, name, VirtualDatetime)
        elif value is datetime:
            setattr(module, name, VIRTUAL_MODULE)
