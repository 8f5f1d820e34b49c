"""The zoo: who is in it, and that a bug which escapes is told, and a correct one that is blamed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scenarios.case import parts_named
from scenarios.checkers import CHECKERS
from scenarios.output import ExitStatus
from scenarios.suites import SCENARIOS
from scenarios.targets.spec import client_target, server_target
from scenarios.zoo.catalogue import CLIENTS, CORRECT, KEPT, PAYLOAD, SERVERS
from scenarios.zoo.command import chosen, row
from scenarios.zoo.detection import Detection, detect
from scenarios.zoo.matrix import ALSO, ENTITLED, FOUND, NOTHING, OTHER, mark, matrix
from scenarios.zoo.specimen import Specimen

EVERYONE = {specimen.name: specimen for specimen in (*CORRECT, *CLIENTS, *SERVERS)}
SOON = {
    "fire-and-forget": "down-during",
    "unknown-is-success": "down-during",
    "trusts-any-200": "success-false",
    "zero-is-missing": "zero-is-a-value",
    "one-at-a-time": "outage-outlasts-the-callers",
    "both-managers": "strategy-to-manager",
    "forgets-at-crash": "client-killed-without-broker",
    "promises-first": "client-killed-without-broker",
    "never-stored": "kill-after-ack",
    "conflict-merged": "conflicting-payloads",
    "silence-is-empty": "broker-without-data-at-restart",
    "recovers-before-it-listens": "second-instance-then-restart",
    "never-ready-again": "kill-after-ack",
    "health-in-a-list": "down-during",
    "nan-accepted": "bad-input",
}
"""Where some are found at once; `dtms-lab zoo` looks for all of them, everywhere."""
EPISODES_MAX, CPU_S_MAX = 60, 20.0


def test_there_are_enough_of_them_and_no_two_have_one_name() -> None:
    assert len(EVERYONE) == len(CORRECT) + len(CLIENTS) + len(SERVERS)
    assert len(CLIENTS) >= 24
    assert len(SERVERS) >= 20
    assert [specimen.side for specimen in CORRECT].count("client") == 2


@pytest.mark.parametrize("specimen", EVERYONE.values(), ids=EVERYONE)
def test_each_can_be_found_and_says_who_may_claim_it(specimen) -> None:
    client_target(specimen.client)
    server = server_target(specimen.server)
    assert server.takes_broker
    assert server.takes_registry
    assert parts_named(specimen.parts).name == specimen.parts
    assert specimen.claims <= set(CHECKERS)
    assert bool(specimen.claims) is bool(specimen.bug)
    assert set(specimen.where) <= set(SCENARIOS)


def test_every_checker_is_entitled_to_something_but_for_what_the_lab_alone_can_start() -> None:
    claimed = {name for specimen in EVERYONE.values() for name in specimen.claims}
    assert set(CHECKERS) - claimed == {"second_instance_exits"}


@pytest.mark.parametrize("name", SOON)
def test_a_bug_is_found_by_a_checker_that_may_claim_it_and_made_small(name) -> None:
    found = detect(replace(EVERYONE[name], where=(SOON[name],)), 1, EPISODES_MAX, CPU_S_MAX)
    assert found.passed, found
    assert found.checker in EVERYONE[name].claims
    assert found.size["trades"] <= 3
    assert found.size["faults"] <= 3


@pytest.mark.parametrize("name", ["register-trade", "make-app"])
def test_a_correct_one_is_blamed_by_nobody(name) -> None:
    found = detect(EVERYONE[name], 2, EPISODES_MAX, CPU_S_MAX)
    assert found.passed, found
    assert found.episodes > EPISODES_MAX / 2


def test_a_bug_that_is_not_there_escapes() -> None:
    planted_nowhere = replace(EVERYONE["register-trade"], bug="none", claims=frozenset({KEPT}))
    found = detect(planted_nowhere, 1, 3, CPU_S_MAX)
    assert not found.passed
    assert "ESCAPED, claimed by nobody" in row(found)


def test_a_bug_that_only_others_claim_has_escaped() -> None:
    misjudged = replace(
        EVERYONE["volume-rounded"], claims=frozenset({KEPT}), where=("request-lost",)
    )
    found = detect(misjudged, 1, 3, CPU_S_MAX)
    assert found.claimed[PAYLOAD] == 3
    assert not found.passed
    assert f"ESCAPED, claimed only by {PAYLOAD}" in row(found)


def test_a_correct_one_that_is_blamed_fails() -> None:
    guilty = replace(
        EVERYONE["volume-rounded"], bug="", claims=frozenset(), where=("request-lost",)
    )
    found = detect(guilty, 1, 2, CPU_S_MAX)
    assert not found.passed
    assert f"BLAMED by {PAYLOAD}" in row(found)


def test_one_that_could_not_be_played_has_not_passed() -> None:
    nobody = Detection(EVERYONE["make-app"], "", "", 0, 0.0, {})
    assert not nobody.passed
    assert "NOT PLAYED" in row(nobody)


def test_the_matrix_tells_who_found_what() -> None:
    specimen = Specimen("a-bug", "client", "is odd", frozenset({"nothing_leaks", KEPT, PAYLOAD}))
    claimed = {KEPT: 1, PAYLOAD: 2, "retry_discipline": 1}
    found = Detection(specimen, KEPT, "kill-after-ack", 2, 0.1, claimed)
    marks = {name: mark(found, name) for name in CHECKERS}
    assert (marks[KEPT], marks[PAYLOAD]) == (FOUND, ALSO)
    assert (marks["nothing_leaks"], marks["retry_discipline"]) == (ENTITLED, OTHER)
    assert marks["breaker_is_silent"] == NOTHING
    assert matrix([found]).splitlines()[-1].split() == ["client", "a-bug", *marks.values()]


def zoo(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dtms_lab", "zoo", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_leaves_what_it_found(tmp_path) -> None:
    done = zoo("--only", "refusals-retried", "--only", "prices-rounded", "--out", "z", cwd=tmp_path)
    assert done.returncode == ExitStatus.PASSED, done.stderr + done.stdout
    assert "2 of 2 bugs found by a checker that may claim them" in done.stdout
    told = json.loads((tmp_path / "z" / "zoo.json").read_text())
    assert [one["name"] for one in told["specimens"]] == ["refusals-retried", "prices-rounded"]
    assert told["specimens"][0]["checker"] == "retry_discipline"
    assert (tmp_path / "z" / "matrix.txt").read_text().splitlines()[-1] in done.stdout
    case = tmp_path / "z" / told["specimens"][0]["case"]
    again = subprocess.run(
        [sys.executable, "-m", "dtms_lab", "replay", str(case)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "same digest" in again.stdout


def test_who_is_not_in_the_zoo_is_refused(tmp_path) -> None:
    done = zoo("--only", "unicorn", cwd=tmp_path)
    assert done.returncode == ExitStatus.USAGE
    assert "nothing in the zoo is called 'unicorn'" in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert {specimen.name for specimen in chosen(["string"])} == {"string-ticket", "string-tickets"}


def test_it_tells_who_is_in_it(tmp_path) -> None:
    done = zoo("--list", cwd=tmp_path)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert {line.partition(":")[0].split()[1] for line in lines} == set(EVERYONE)
    assert "client zero-is-missing: takes a zero for nothing; payload_arrived_as_executed may" in (
        done.stdout
    )
