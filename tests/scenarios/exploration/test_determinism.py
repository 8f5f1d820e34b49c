"""Same plan, same history: in any process, in any order, alone or among others."""

import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.exploration.compare_digests import differences, in_processes
from scenarios.exploration.digests import digests, seedling_of, told
from tests.zoo.unsteady import UNSTEADY

ROOT = Path(__file__).parents[3]
SEEDS = {"message": range(60), "http": range(60, 90), "socket": range(90, 99)}


@pytest.fixture(autouse=True)
def in_the_tree(monkeypatch) -> None:
    """Processes that are started find the packages, the tests among them."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.mark.parametrize("fidelity", SEEDS)
def test_processes_with_different_hash_seeds_play_the_same(fidelity) -> None:
    seeds = SEEDS[fidelity]
    first, second, third = in_processes(seeds, fidelity)
    assert first == second == third
    assert all(len(digest) == 64 for digest in first), "each could be played"
    assert len(set(first)) == len(seeds), "each seed is another episode"


@pytest.mark.parametrize(("fidelity", "number"), [("message", 41), ("http", 17), ("socket", 5)])
def test_a_seed_alone_plays_as_among_others(fidelity, number) -> None:
    among = told(SEEDS[fidelity], fidelity, "reference", backwards=False)
    seed = SEEDS[fidelity][number]
    (alone,) = in_processes(range(seed, seed + 1), fidelity, processes=1)
    assert alone == [among[number]]


def test_a_seed_plays_the_same_twice_in_a_row() -> None:
    seedling = seedling_of(1, "socket")
    first, second = digests([seedling, seedling])
    assert first == second


@pytest.mark.parametrize("parts", UNSTEADY, ids=lambda parts: parts.name.partition(":")[2])
def test_what_depends_on_the_process_is_caught(parts) -> None:
    seeds = range(6)
    assert list(differences(seeds, in_processes(seeds, "message", parts.name)))


def test_the_command_names_the_first_seed_that_differs() -> None:
    ended = _command("--compare", "2", "--seeds", "6", "--parts", "tests.zoo.unsteady:ID")
    assert ended.returncode == 1
    assert "message 6 seeds from 0: seed 0 (" in ended.stdout
    assert "differs between processes:" in ended.stdout
    assert "PYTHONHASHSEED=1, last seed first: " in ended.stdout


def test_the_command_tells_one_hash_where_all_are_the_same() -> None:
    ended = _command("--compare", "2", "--seeds", "3")
    assert ended.returncode == 0
    assert ended.stdout.endswith(", the same in 2 processes\n")
    (alone,) = _command("--seeds", "3").stdout.splitlines()
    assert ended.stdout.startswith(alone)


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scenarios.exploration.digests", "--fidelity", "message"]
    return subprocess.run([*command, *words], capture_output=True, text=True, check=False)
