"""Each planted bug is found, made small, and plays again alike; the reference survives the plan."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from scenarios.case import decode_case
from tests.zoo.hunt import Hunt, by_the_reference, hunt, is_small
from tests.zoo.planted import PLANTED

ROOT = Path(__file__).parents[2]
EPISODES_MAX = 1_000
HAUNTS = {
    "ACK_BEFORE_SYNC": (3, "store-slow"),
    "CHECK_THEN_ACT": (0, "conflicting-payloads"),
    "TIMEOUT_IS_FAILURE": (0, "answer-lost-once"),
    "SEND_THEN_WRITE": (3, "kill-client"),
    "NEW_AGAIN": (0, "answer-lost-once"),
    "NEVER_HALF_OPENS": (0, "flapping"),
    "LOOKUP_RACES_RECOVERY": (0, "broker-down-at-restart"),
}
"""A seed and a scenario that find it soon; `python -m tests.zoo.hunt` looks everywhere."""
BUGS = {bug.parts.name.rpartition(":")[2]: bug for bug in PLANTED}

each_bug = pytest.mark.parametrize("name", BUGS)


@cache
def hunted(name: str) -> Hunt:
    seed, scenario = HAUNTS[name]
    found = hunt(BUGS[name], seed, [scenario], EPISODES_MAX)
    assert found is not None, f"{BUGS[name].bug} escaped"
    return found


@each_bug
def test_it_is_found_by_a_checker_that_may_claim_it(name) -> None:
    assert hunted(name).checker in BUGS[name].claims


@each_bug
def test_it_is_made_small(name) -> None:
    assert is_small(hunted(name).size), hunted(name).size


@each_bug
def test_the_small_plan_breaks_the_same_checker(name) -> None:
    assert decode_case(hunted(name).case).verdict[hunted(name).checker] == "invalid"


@each_bug
def test_the_reference_survives_the_same_plan(name) -> None:
    assert by_the_reference(decode_case(hunted(name).case).plan).broken == ()


@each_bug
def test_its_case_plays_again_alike_in_a_fresh_process(name, tmp_path) -> None:
    path = tmp_path / "case.json"
    path.write_text(hunted(name).case)
    ended = subprocess.run(
        [sys.executable, "-m", "scenarios", "replay", str(path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert ended.returncode == 1, ended.stderr
    assert f"{path}: same digest {decode_case(hunted(name).case).digest[:16]}" in ended.stdout
    assert f"INVALID {hunted(name).checker}" in ended.stdout
