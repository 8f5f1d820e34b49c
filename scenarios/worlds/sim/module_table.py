"""The modules of one simulated process: those of its target are its own.

A real process has a table of modules; simulated ones share `sys.modules`. In it the target's
modules bear the name of their actor, `quotes@bot`, and the target does not know: its modules have
builtins of their own, whose `__import__` turns `quotes` into `quotes@bot`. All else is done by the
import machinery itself.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader, SourcelessFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from scenarios.targets import shim
from scenarios.worlds.sim.virtual_datetime import VIRTUAL_MODULE, set_clock

CODES_MAX = 4_096
"""Files whose compiled code is kept: a process is started often, and its files stay the same."""
_import = builtins.__import__


class ModuleTable:
    """`folders` are the target's own: what is found there, or belongs to `package`, wherever that
    is installed, is the process's own. `main` is the FILE.py under test, if it is one. Compiled
    extensions at the top of a folder are not found."""

    def __init__(self, actor: str, folders: Sequence[str], package: str, main: str) -> None:
        self._actor = actor
        self._folders = folders
        self._package = package
        self._main = main
        self._found: dict[str, ModuleSpec | None] = {}
        self._builtins = {**vars(builtins), "__import__": self._import}

    def own_name(self, name: str) -> str:
        """The module's name in `sys.modules`: its own, or that of everybody's module."""
        top, dot, rest = name.partition(".")
        return f"{top}@{self._actor}{dot}{rest}" if self._find(top) is not None else name

    def spec(self, name: str, parts: Sequence[str] | None) -> ModuleSpec | None:
        """Where the process's own module of that name in `sys.modules` is to be loaded from;
        `parts` are the folders of its package."""
        top, dot, _rest = name.partition(".")
        if dot:
            spec = PathFinder.find_spec(name, parts)
            if spec is not None and type(spec.loader) is SourceFileLoader:
                spec.loader = self._loader(name, spec.loader.path)
            return spec
        found = self._find(top.rpartition("@")[0])
        if found is None:
            return None
        within = found.submodule_search_locations
        if found.loader is None:
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = list(within or ())
            return spec
        assert found.origin is not None
        loader = (
            self._loader(name, found.origin)
            if isinstance(found.loader, SourceFileLoader)
            else SourcelessFileLoader(name, found.origin)
        )
        return spec_from_file_location(
            name, found.origin, loader=loader, submodule_search_locations=within
        )

    def _find(self, top: str) -> ModuleSpec | None:
        if top not in self._found:
            self._found[top] = self._look_for(top)
        return self._found[top]

    def _look_for(self, top: str) -> ModuleSpec | None:
        if top == shim.MAIN:
            return spec_from_file_location(top, self._main) if self._main else None
        spec = shim.find_own(top, self._folders)
        if spec is None and top == self._package:
            spec = PathFinder.find_spec(top)
        loadable = SourceFileLoader, SourcelessFileLoader
        if spec is None or not (spec.loader is None or isinstance(spec.loader, loadable)):
            return None
        return spec

    def _loader(self, name: str, path: str) -> SourceFileLoader:
        return _OwnLoader(name, path, self._builtins)

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - as it is called
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """`builtins.__import__`, as the process has it."""
        if level == 0:
            if name == "datetime" and locals is not globals:
                return VIRTUAL_MODULE  # in a function, which no one looks through afterwards
            name = self.own_name(name)
        return _import(name, globals, locals, fromlist or (), level)


class _OwnLoader(SourceFileLoader):
    """Runs a module with the builtins of its process."""

    def __init__(self, name: str, path: str, of_process: Mapping[str, Any]) -> None:
        super().__init__(name, path)
        self._builtins = of_process

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - one loader for each module
        seen = Path(self.path).stat()
        return _compiled(self.path, seen.st_mtime_ns, seen.st_size)

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._builtins
        super().exec_module(module)
        set_clock(module)


@lru_cache(CODES_MAX)
def _compiled(path: str, _changed_ns: int, _size: int) -> CodeType:
    return compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)


def forget(actor: str) -> None:
    """The modules of the actor's last process are gone with it."""
    for name in tuple(sys.modules):
        if name.partition(".")[0].endswith(f"@{actor}"):
            del sys.modules[name]
