"""A target's modules, loaded anew for each simulated process.

Nothing that a module keeps in its variables leaks from one process, or one episode, into the next:
each gets modules of its own, as processes do, whether they are imported at the top of a module or
when a function runs. Shared are only the modules of installed packages and of this repository.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from scenarios.import_path import users_folders
from scenarios.targets import shim
from scenarios.worlds.sim.module_table import ModuleTable, forget
from scenarios.worlds.world import EnvironmentFailed
from simulator.deterministic.guard import Guard
from simulator.deterministic.process import current_process

_import_module = importlib.import_module


class FreshModules:
    """For one episode. `guard` is told what targets may read."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._tables: dict[str, ModuleTable] = {}

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Targets can be loaded inside; afterwards nothing is left of them."""
        try:
            yield
        finally:
            if self._tables:
                sys.meta_path.remove(self)
                importlib.import_module = _import_module
            for actor in self._tables:
                forget(actor)
            self._tables.clear()

    def load(self, location: str, actor: str) -> Callable[..., Any]:
        """The function at `location`, in modules that only this process of the actor has. Raises
        whatever the module raises."""
        folder, place, name = shim.parse(location)
        main = place if place.endswith(".py") else ""
        folders = [*filter(None, (folder,)), *users_folders(os.environ)]
        for each in folders:
            self._guard.allow_reading(Path(each))
        if not self._tables:
            sys.meta_path.insert(0, self)
            importlib.import_module = self._import_module
        forget(actor)
        package = "" if main else place.partition(".")[0]
        table = self._tables[actor] = ModuleTable(actor, folders, package, main)
        module = _import_module(table.own_name(shim.MAIN if main else place))
        try:
            function: Callable[..., Any] = getattr(module, name)
        except AttributeError as error:
            raise EnvironmentFailed(f"{place} has no {name}") from error
        return function

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,  # noqa: ARG002 - a finder is called so
    ) -> ModuleSpec | None:
        """What the import machinery asks every finder."""
        _name, marked, actor = fullname.partition(".")[0].rpartition("@")
        table = self._tables.get(actor) if marked else None
        return table.spec(fullname, path) if table is not None else None

    def _import_module(self, name: str, package: str | None = None) -> ModuleType:
        """`importlib.import_module`, for a name that a target may have made up when it ran."""
        process = current_process()
        table = self._tables.get(process.name) if process is not None else None
        return _import_module(name if table is None else table.own_name(name), package)
