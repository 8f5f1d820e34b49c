"""Each simulated process has modules of its own, whenever they are imported."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scenarios.worlds.sim.fresh_modules import FreshModules
from scenarios.worlds.world import EnvironmentFailed
from simulator.deterministic.guard import Guard
from simulator.deterministic.process import Process

FILES = {
    "client.py": """
from __future__ import annotations
import dataclasses, datetime as calendar, pickle, sys
from shapes import circle, Square
import shapes.circle as round

@dataclasses.dataclass
class Kept:
    calls: dataclasses.KW_ONLY | None = None
    at: list[int] | None = None

def count():
    from late import seen
    import late as again
    seen.append(1)
    assert again.seen is seen
    return len(seen)

def named(name):
    import importlib
    return importlib.import_module(name).seen

def round_trip():
    kept = pickle.loads(pickle.dumps(Kept(at=[1])))
    assert type(kept) is Kept and sys.modules[__name__].Kept is Kept
    return kept.at

def years():
    from datetime import datetime
    import datetime as module
    return [type(datetime), type(module.datetime), type(calendar.datetime)]

def shape():
    assert round is circle and Square.side.of is circle
    return circle.area(Square.side.value)

def lacks():
    import shapes.triangle
""",
    "late.py": "seen = []\n",
    "shapes/__init__.py": "from . import circle\nfrom .square import Square\n",
    "shapes/circle.py": "from shapes import square\n\ndef area(r):\n    return 3 * r\n",
    "shapes/square.py": (
        "from shapes import circle\n"
        "class Side:\n    value = 2\n    of = circle\n"
        "class Square:\n    side = Side\n"
    ),
    "httpx/notes.txt": "a mere folder, less than what is installed",
    "wire.py": "import httpx\nfrom chaos import mine\nfound = httpx.AsyncClient, mine.WHOSE\n",
    "chaos/mine.py": "WHOSE = 'the target'\n",  # a package without __init__.py
    "broken.py": "import late\nlate.seen.append(1)\nraise ValueError('no')\n",
}


@pytest.fixture
def modules(tmp_path: Path) -> Iterator[FreshModules]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    before = dict(sys.modules), list(sys.meta_path), list(sys.path), importlib.import_module
    fresh = FreshModules(Guard())
    with fresh.importable():
        yield fresh
    left = [name for name in sys.modules if "@" in name or name in {"late", "shapes", "client"}]
    assert left == []
    after = dict(sys.modules), list(sys.meta_path), list(sys.path), importlib.import_module
    assert after[1:] == before[1:]


def test_what_a_function_imports_is_its_processes_own(
    modules: FreshModules, tmp_path: Path
) -> None:
    of_bot = modules.load(f"{tmp_path}/client.py:count", "bot")
    of_desktop = modules.load(f"{tmp_path}/client.py:count", "desktop")
    assert [of_bot(), of_bot(), of_desktop(), of_bot()] == [1, 2, 1, 3]
    assert modules.load(f"{tmp_path}/client.py:count", "bot")() == 1


def test_an_episode_leaves_nothing_to_the_next(tmp_path: Path, modules: FreshModules) -> None:
    assert modules.load(f"{tmp_path}/client.py:count", "bot")() == 1
    other = FreshModules(Guard())
    with other.importable():
        assert other.load(f"{tmp_path}/client.py:count", "bot")() == 1


@pytest.mark.parametrize(("function", "said"), [("shape", 6), ("round_trip", [1])])
def test_packages_circles_and_pickles_work_as_ever(
    modules: FreshModules, tmp_path: Path, function: str, said: Any
) -> None:
    assert modules.load(f"{tmp_path}/client.py:{function}", "bot")() == said
    assert modules.load(f"{tmp_path}:client:{function}", "bot")() == said


def test_a_name_made_up_at_run_time_is_the_processes_own(
    modules: FreshModules, tmp_path: Path
) -> None:
    named = modules.load(f"{tmp_path}/client.py:named", "bot")
    count = modules.load(f"{tmp_path}/client.py:count", "desktop")
    count()
    assert Process("bot").context.run(named, "late") == []


def test_the_present_is_virtual_in_functions_too(modules: FreshModules, tmp_path: Path) -> None:
    kinds = modules.load(f"{tmp_path}/client.py:years", "bot")()
    assert [kind.__name__ for kind in kinds] == ["_AnyDatetime"] * 3


def test_folders_come_before_the_labs_packages_and_after_what_is_installed(
    modules: FreshModules, tmp_path: Path
) -> None:
    import httpx

    client, whose = modules.load(f"{tmp_path}/wire.py:found", "bot")  # type: ignore[misc]
    assert client is httpx.AsyncClient
    assert whose == "the target"


def test_what_is_installed_is_the_processes_own_where_it_is_the_target(
    modules: FreshModules,
) -> None:
    import respx

    assert modules.load("respx.router:Router", "bot") is not respx.Router


def test_what_is_not_there_is_told(modules: FreshModules, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match=r"client\.py has no nothing"):
        modules.load(f"{tmp_path}/client.py:nothing", "bot")
    with pytest.raises(ModuleNotFoundError, match=r"shapes@bot\.triangle"):
        modules.load(f"{tmp_path}/client.py:lacks", "bot")()
    for _turn in range(2):
        with pytest.raises(ValueError, match="no"):
            modules.load(f"{tmp_path}/broken.py:f", "bot")
