"""Each planted bug is found, made small, and plays again alike; the reference survives the plan."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from scenarios.exploration.shrink import Shrinker, Shrunk
from scenarios.zoo.planted import PLANTED
from tests.zoo.hunt import by_the_reference, catch_soon, is_small

ROOT = Path(__file__).parents[2]
HAUNTS = {
    "ACK_BEFORE_SYNC": "pool-starvation",
    "CHECK_THEN_ACT": "conflicting-payloads",
    "TIMEOUT_IS_FAILURE": "answer-lost-once",
    "SEND_THEN_WRITE": "kill-client",
    "NEW_AGAIN": "answer-lost-once",
    "NEVER_HALF_OPENS": "flapping",
    "LOOKUP_RACES_RECOVERY": "broker-down-at-restart",
}
"""Where each is caught soon; `python -m tests.zoo.hunt` looks everywhere."""
BUGS = {bug.parts.name.rpartition(":")[2]: bug for bug in PLANTED}

each_bug = pytest.mark.parametrize("name", BUGS)


@cache
def hunted(name: str) -> tuple[Shrunk, str]:
    """What is left of it, and the checker that found it."""
    failing, checker = catch_soon(BUGS[name], HAUNTS[name])
    return Shrinker(failing, checker).shrink(), checker


@each_bug
def test_it_is_found_by_a_checker_that_may_claim_it(name) -> None:
    _shrunk, checker = hunted(name)
    assert checker in BUGS[name].claims


@each_bug
def test_it_is_made_small(name) -> None:
    shrunk, _checker = hunted(name)
    assert is_small(shrunk.size), shrunk.size


@each_bug
def test_the_small_plan_breaks_the_same_checker(name) -> None:
    shrunk, checker = hunted(name)
    assert checker in shrunk.judged.broken


@each_bug
def test_the_reference_survives_the_same_plan(name) -> None:
    shrunk, _checker = hunted(name)
    assert by_the_reference(shrunk.judged.plan).broken == ()


@each_bug
def test_its_case_plays_again_alike_in_a_fresh_process(name, tmp_path) -> None:
    shrunk, checker = hunted(name)
    case = shrunk.judged.case()
    path = tmp_path / "case.json"
    path.write_text(case.encode())
    ended = subprocess.run(
        [sys.executable, "-m", "scenarios", "replay", str(path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert ended.returncode == 1, ended.stderr
    assert f"{path}: same digest {case.digest[:16]}" in ended.stdout
    assert f"INVALID {checker}" in ended.stdout
