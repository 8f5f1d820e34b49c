"""The zoo: who is in it, and that a bug which escapes is told, and a correct one that is blamed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from scenarios.case import parts_named
from scenarios.checkers import CHECKERS
from scenarios.contract import command as contract_command
from scenarios.contract.bench import Bench
from scenarios.contract.catalogue import CHECKS
from scenarios.contract.check import Check, Failed, Undecided
from scenarios.output import ExitStatus
from scenarios.suites import SCENARIOS
from scenarios.targets.spec import client_target, server_target
from scenarios.zoo import command as zoo_command
from scenarios.zoo import contract
from scenarios.zoo.catalogue import CLIENTS, CORRECT, KEPT, PAYLOAD, SERVERS
from scenarios.zoo.command import ZooRequest, chosen, row, zoo_and_report
from scenarios.zoo.detection import Detection, detect
from scenarios.zoo.matrix import ALSO, ENTITLED, FOUND, NOTHING, OTHER, mark, matrix
from scenarios.zoo.specimen import Specimen

ROOT = Path(__file__).parents[2]
EVERYONE = {specimen.name: specimen for specimen in (*CORRECT, *CLIENTS, *SERVERS)}
CHECK_NAMES = {check.name for check in CHECKS}
BY_CONTRACT = [name for name, one in EVERYONE.items() if one.world == "contract" and one.bug]
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
    assert specimen.claims <= (CHECK_NAMES if specimen.world == "contract" else set(CHECKERS))
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


@pytest.mark.parametrize("name", BY_CONTRACT)
def test_a_bug_is_found_by_each_check_of_the_contract_that_may_claim_it(name) -> None:
    found = detect(EVERYONE[name], 1, EPISODES_MAX, CPU_S_MAX)
    assert found.passed, found
    assert set(found.claimed) >= EVERYONE[name].claims
    assert f"(contract): {EVERYONE[name].bug}: {found.checker} in the contract" in row(found)


def test_a_correct_one_keeps_every_must_and_what_may_claim_any_bug() -> None:
    found = detect(EVERYONE["make-protecting-app"], 1, EPISODES_MAX, CPU_S_MAX)
    assert found.passed, found
    made = {check.name for check in contract.checks_of(EVERYONE["make-protecting-app"])}
    assert made >= {check.name for check in CHECKS if check.level == "MUST"}
    assert made >= {claim for name in BY_CONTRACT for claim in EVERYONE[name].claims}
    assert found.episodes == len(made)


def test_a_bug_that_only_an_unrelated_check_claims_has_escaped() -> None:
    misjudged = replace(EVERYONE["error-after-commit"], claims=frozenset({"lookup-unknown"}))
    found = detect(misjudged, 1, EPISODES_MAX, CPU_S_MAX)
    assert "enable-new" in found.claimed
    assert not found.passed
    assert "ESCAPED, claimed only by enable-new" in row(found)


def test_a_bug_that_no_check_sees_escapes() -> None:
    unseen = replace(EVERYONE["drops-at-initialise"], claims=frozenset({"lookup-unknown"}))
    found = detect(unseen, 1, EPISODES_MAX, CPU_S_MAX)
    assert not found.passed
    assert "ESCAPED, claimed by nobody: 6 checks" in row(found)


def _blames(_bench: Bench) -> None:
    raise Failed("it is odd")


def _cannot_tell(_bench: Bench) -> None:
    raise Undecided("it is dark")


@pytest.mark.parametrize(
    ("prove", "told"), [(_blames, "BLAMED by odd"), (_cannot_tell, "NOT DECIDED")]
)
def test_a_correct_one_that_does_not_keep_a_must_fails(prove, told, monkeypatch) -> None:
    odd = Check("odd", "MUST", "oddities", "Nothing is odd.", prove)
    monkeypatch.setattr(contract, "CHECKS", (*CHECKS[:1], odd))
    found = detect(EVERYONE["make-protecting-app"], 1, EPISODES_MAX, CPU_S_MAX)
    assert not found.passed
    assert told in row(found)


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


@pytest.mark.parametrize(("claim", "status"), [("enable-new", 0), ("lookup-unknown", 1)])
def test_a_bug_that_only_an_unrelated_check_claims_makes_the_status(
    claim, status, tmp_path, monkeypatch
) -> None:
    claimed = replace(EVERYONE["error-after-commit"], claims=frozenset({claim}))
    monkeypatch.setattr(zoo_command, "SERVERS", (claimed,))
    request = ZooRequest([claimed.name], 1, 1, tmp_path / "z")
    assert zoo_and_report(request, Console(quiet=True)) == status
    (told,) = json.loads((tmp_path / "z" / "zoo.json").read_text())["specimens"]
    assert told["world"] == "contract"
    assert told["passed"] is (status == 0)
    assert told["claimed"]["enable-new"] == 1


def test_without_the_extra_it_refuses_to_begin(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(contract_command, "EXTRA", ("schemathesis_is_not_there",))
    request = ZooRequest(["only-told-lengths"], 1, 1, tmp_path / "z")
    with pytest.raises(OSError, match=r"needs schemathesis_is_not_there: .*dtms-lab\[contract\]"):
        zoo_and_report(request, Console(quiet=True))
    assert list(tmp_path.iterdir()) == []


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
