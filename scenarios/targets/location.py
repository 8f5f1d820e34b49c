"""Where a target's function is: read from its name, and looked up without running anything.

`FILE.py:function`, or `module:function`, looked for in the folder the command is started in, in
the user's PYTHONPATH, and among what is installed. Written out, `FOLDER:module:function` says in
which folder a module is that is not installed, so that it can be found from anywhere.
"""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from scenarios.import_path import users_folders
from scenarios.targets import shim

INSTALLED = ("site-packages", "dist-packages")


class TargetRefused(ValueError):
    """The name cannot be a target; the message says why and what would be."""


@dataclass(frozen=True, slots=True)
class Location:
    """`place` is an absolute FILE.py, or a module; `folder` is where modules are looked for first,
    empty for one that is installed; `source` is the file that defines the function."""

    folder: str
    place: str
    function: str
    source: Path

    def __str__(self) -> str:
        """What the shim takes, and what names the target from any folder."""
        if self.place.endswith(".py") or not self.folder:
            return f"{self.place}:{self.function}"
        return f"{self.folder}:{self.place}:{self.function}"


def locate(name: str) -> Location:
    """Raises `TargetRefused`."""
    folder, place, function = shim.parse(name)
    if place.endswith(".py"):
        path = Path(place).resolve()
        if not path.is_file():
            raise TargetRefused(f"{name}: there is no file {place}")
        return Location(str(path.parent), str(path), function, path)
    first = [str(Path(folder or Path.cwd()).absolute()), *users_folders(os.environ)]
    found = _find(place, first)
    if found is None or found.origin is None or not Path(found.origin).is_file():
        raise TargetRefused(f"{name}: there is no module {place}")
    source = Path(found.origin)
    return Location(_folder_of(place, source), place, function, source)


def _find(module: str, first: Sequence[str]) -> ModuleSpec | None:
    """Packages are not run for it, as `importlib.util.find_spec` would."""
    top, *rest = module.split(".")
    spec = shim.find_own(top, first) or PathFinder.find_spec(top)
    for name in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        top = f"{top}.{name}"
        spec = PathFinder.find_spec(top, list(spec.submodule_search_locations))
    return spec


def _folder_of(module: str, source: Path) -> str:
    """What must be on the path to import the module; empty where it is anyway."""
    package = source.name == "__init__.py"
    folder = source.absolute().parents[module.count(".") + package]
    standard = Path(sysconfig.get_path("stdlib"))
    if folder == standard or {*INSTALLED} & {*folder.parts}:
        return ""
    return str(folder)
