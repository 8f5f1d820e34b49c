"""What a simulation plays takes time, chance and identities from its plan, and walks in an order.

Where something does not, it stands in ALLOWED with the reason why no history can tell."""

from pathlib import Path

import pytest

from tests.architecture.chance import chance_in

ROOT = Path(__file__).parents[2]
PLAYED = (
    "core",
    "simulator",
    "chaos",
    "scenarios/checkers",
    "scenarios/evidence",
    "scenarios/exploration",
    "scenarios/suites",
    "scenarios/worlds/sim",
    *(
        f"scenarios/{name}.py"
        for name in ("choices", "episode", "explain", "history", "scenario", "verdict", "workload")
    ),
)
DEFAULT = "a default; the simulation hands in its own"
REAL = "a process of its own, in real time"
RESTORED = "what stands in for the machine knows the machine"
MEASURES = "tells how long the search itself took, after the histories are made"
LOOKED_UP = "a dictionary that is looked up by key and never walked through"
ALLOWED = {
    ("core/production.py", "time.monotonic"): DEFAULT,
    ("core/production.py", "datetime.now"): DEFAULT,
    ("core/production.py", "random.random"): DEFAULT,
    ("core/production.py", "uuid.uuid4"): DEFAULT,
    ("chaos/docker/owner.py", "os.getpid"): "containers are never simulated",
    ("chaos/postgres/server.py", "time.monotonic"): REAL,
    ("chaos/postgres/server.py", "os.urandom"): REAL,
    ("core/group_commit.py", "time.monotonic"): "a real outbox; the simulation has DiskOutbox",
    ("simulator/__main__.py", "time.monotonic"): REAL,
    ("simulator/__main__.py", "random.random"): REAL,
    ("simulator/__main__.py", "uuid.uuid4"): REAL,
    ("simulator/__main__.py", "datetime.now"): REAL,
    ("simulator/side_process.py", "datetime.now"): REAL,
    ("simulator/death.py", "os.getpid"): REAL,
    ("simulator/api.py", "time.perf_counter"): DEFAULT,
    ("simulator/api.py", "uuid.uuid4"): DEFAULT,
    ("simulator/messages.py", "time.perf_counter"): DEFAULT,
    ("simulator/deterministic/stand_ins.py", "os.urandom"): RESTORED,
    ("simulator/deterministic/stand_ins.py", "id()"): "compared, never put in order",
    ("simulator/deterministic/stand_ins.py", "random.getstate"): RESTORED,
    ("simulator/deterministic/stand_ins.py", "random.setstate"): RESTORED,
    ("simulator/deterministic/stand_ins.py", "random.seed"): "with the run's seed",
    (
        "simulator/deterministic/stand_ins.py",
        "walks through sys.modules.keys() - _seen",
    ): "each module gets the same stand-ins, whatever the order",
    ("scenarios/worlds/sim/virtual_datetime.py", "time.time"): "the loop's while a run lasts",
    (
        "scenarios/checkers/caller_is_never_blocked.py",
        "walks through {r.service for r in asked}",
    ): LOOKED_UP,
    (
        "scenarios/checkers/failure_is_honest.py",
        "walks through {r.service for r in self.failed}",
    ): LOOKED_UP,
    ("scenarios/history.py", "time.monotonic_ns"): DEFAULT,
    ("scenarios/exploration/batch.py", "time.process_time"): MEASURES,
    ("scenarios/exploration/explore_command.py", "datetime.now"): MEASURES,
    ("scenarios/exploration/explore_command.py", "time.monotonic"): MEASURES,
    ("scenarios/exploration/sweep_command.py", "datetime.now"): MEASURES,
    ("scenarios/exploration/sweep_command.py", "time.monotonic"): MEASURES,
    ("scenarios/exploration/search.py", "time.monotonic"): MEASURES,
    ("scenarios/exploration/soak.py", "time.monotonic"): MEASURES,
}


def _found() -> set[tuple[str, str]]:
    return {
        (str(path.relative_to(ROOT)), found.what)
        for place in PLAYED
        for path in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
        for found in chance_in(path.read_text())
    }


def test_nothing_that_is_played_takes_from_the_machine() -> None:
    assert _found() - ALLOWED.keys() == set()


def test_nothing_is_allowed_that_nobody_does() -> None:
    assert ALLOWED.keys() - _found() == set()


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("import time\nt = time.time()", "time.time"),
        ("import time as clock\nt = clock.monotonic_ns", "time.monotonic_ns"),
        ("from time import perf_counter", "time.perf_counter"),
        ("from datetime import datetime\nt = datetime.now()", "datetime.now"),
        ("import datetime\nt = datetime.datetime.utcnow()", "datetime.utcnow"),
        ("from datetime import date\nt = date.today()", "datetime.today"),
        ("import random\nx = random.random()", "random.random"),
        ("import random\nr = random.Random()", "random.Random"),
        ("from random import Random\nr = Random()", "Random without a seed"),
        ("from random import choice", "random.choice"),
        ("import uuid\nx = uuid.uuid4().hex", "uuid.uuid4"),
        ("import os\nx = os.urandom(8)", "os.urandom"),
        ("import secrets\nx = secrets.token_hex(2)", "secrets.token_hex"),
        ("x = id(thing)", "id()"),
        ("x = sorted(things, key=lambda t: hash(t))", "hash()"),
        ("for x in set(names): f(x)", "walks through set(names)"),
        ("for x in {1, 2}: f(x)", "walks through {1, 2}"),
        ("x = [f(n) for n in {n.a for n in names}]", "walks through {n.a for n in names}"),
        ("x = {n: f(n) for n in frozenset(names)}", "walks through frozenset(names)"),
        ("x = tuple({*names})", "walks through {*names}"),
        ("x = [*set(names)]", "walks through set(names)"),
        ("x = ', '.join(set(names))", "walks through set(names)"),
        ("x = next(iter(set(names)))", "walks through set(names)"),
        ("x = set(names).pop()", "walks through set(names)"),
        ("for x in set(names) - old: f(x)", "walks through set(names) - old"),
        ("for x in names.keys() - old: f(x)", "walks through names.keys() - old"),
        ("for x in set(names).union(old): f(x)", "walks through set(names).union(old)"),
        ("seen: set[str] = made()\nfor x in seen: f(x)", "walks through seen"),
        ("def f(seen: frozenset[str]):\n    return list(seen)", "walks through seen"),
        ("class A:\n    s: set[int]\n    def f(self):\n        return list(self.s)",
         "walks through self.s"),
        ("a, b = {x, y}", "walks through {x, y}"),
        ("def f():\n    yield from set(names)", "walks through set(names)"),
    ],
)  # fmt: skip
def test_a_line_that_does_is_found(line, what) -> None:
    assert [found.what for found in chance_in(line)] == [what]


@pytest.mark.parametrize(
    "line",
    [
        "for x in sorted(set(names)): f(x)",
        "x = any(n for n in {1, 2})",
        "x = len(set(names)) + max({1, 2})",
        "x = {f(n) for n in set(names)}",
        "x = y in {1, 2}",
        "import random\nr = random.Random(seed)",
        "from random import Random\nr = Random(f'{name}')\nx = r.random()",
        "x = random.random()",  # of a Random that was handed in under this name
        "now = clock.now()",
        "x = loop.time()",
        "for x in dict.fromkeys(names): f(x)",
        "for x in names.keys(): f(x)",
    ],
)
def test_what_is_the_same_everywhere_is_not(line) -> None:
    assert chance_in(line) == []
