"""A target's modules, loaded anew for each simulated process.

Nothing that a module keeps in its variables leaks from one process, or one episode, into the next:
each gets modules of its own, as processes do. Shared are only the modules of installed packages
and of this repository, and what a target imports from its own folder not at the top of a module but
when it runs.
"""

from __future__ import annotations

import datetime
import importlib
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from scenarios.worlds.world import EnvironmentFailed


class FreshModules:
    """For one episode; `close` at its end."""

    def __init__(self) -> None:
        self._folders: list[str] = []

    def load(self, location: str, process: str) -> Callable[..., Any]:
        """The function at `FILE.py:function` or `module:function`, in modules that nobody else
        has. `process` names whose they are. Raises whatever the module raises."""
        place, _, name = location.rpartition(":")
        before = set(sys.modules)
        if place.endswith(".py"):
            module = self._from_file(Path(place), f"target of {process}")
        else:
            module = _from_package(place)
        own = [module, *_take_out(before, Path(module.__file__ or ".").parent)]
        for each in own:
            _set_clock(each)
        try:
            function: Callable[..., Any] = getattr(module, name)
        except AttributeError as error:
            raise EnvironmentFailed(f"{place} has no {name}") from error
        return function

    def close(self) -> None:
        """Targets are importable no more."""
        for folder in self._folders:
            sys.path.remove(folder)
        self._folders.clear()

    def _from_file(self, path: Path, name: str) -> ModuleType:
        folder = str(path.parent)
        if folder not in self._folders:
            self._folders.append(folder)
            sys.path.insert(0, folder)
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise EnvironmentFailed(f"cannot import {path}")
        module = importlib.util.module_from_spec(spec)
        # Dataclasses and the like look their module up while it runs.
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        finally:
            del sys.modules[name]
        return module


def _from_package(name: str) -> ModuleType:
    """The module and its whole package anew; those that others have stay as they are."""
    top = name.partition(".")[0]
    kept = {n: m for n, m in sys.modules.items() if n == top or n.startswith(f"{top}.")}
    for each in kept:
        del sys.modules[each]
    try:
        return importlib.import_module(name)
    finally:
        for each in [n for n in sys.modules if n == top or n.startswith(f"{top}.")]:
            del sys.modules[each]
        sys.modules.update(kept)


def _take_out(before: set[str], folder: Path) -> list[ModuleType]:
    """What was imported just now from the target's own folder; the next load imports it again."""
    own = []
    for name in sys.modules.keys() - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_relative_to(folder) and "site-packages" not in file:
            own.append(sys.modules.pop(name))
    return own


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime.datetime)


class VirtualDatetime(datetime.datetime, metaclass=_AnyDatetime):
    """`datetime` as a target's modules see it: the class of the standard library, but for the
    present, which is the simulation's. It makes plain datetimes."""

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


def _set_clock(module: ModuleType) -> None:
    """`datetime.now` cannot be exchanged in the class; so the class is, where the module holds it,
    and the module `datetime` likewise. What a module asks while it is loaded is not covered."""
    for name, value in tuple(vars(module).items()):
        if value is datetime.datetime:
            setattr(module, name, VirtualDatetime)
        elif value is datetime:
            setattr(module, name, _VIRTUAL_MODULE)


_VIRTUAL_MODULE = ModuleType("datetime", datetime.__doc__)
vars(_VIRTUAL_MODULE).update({**vars(datetime), "datetime": VirtualDatetime})
