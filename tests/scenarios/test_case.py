"""A case file says all that it takes to play a failure again, and is refused in words otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scenarios.case import SCHEMA, Case, CaseRefused, decode_case, read_case
from scenarios.exploration.judged import Judged, judged
from scenarios.exploration.seedling import Seedling, plan_of
from scenarios.suites import SCENARIOS
from scenarios.suites.one_registration import ONE_REGISTRATION
from scenarios.worlds.sim.play import Plan
from scenarios.zoo.planted import ACK_BEFORE_SYNC


@pytest.fixture(scope="module")
def outcome() -> Judged:
    """Of a plan that spells out everything: lanes, faults, decisions, choices."""
    seedling = Seedling(
        "kill-after-ack", 3, schedule="random", swarm=True, parts=ACK_BEFORE_SYNC.name
    )
    plan = plan_of(seedling)
    noted = judged(plan, note=True).played
    random = Random(f"{plan.scenario.name}:{plan.seed}")
    plan.scenario.start_up(random)
    spelled = replace(
        plan,
        lanes=plan.scenario.workload(random),
        decisions=noted.decisions,
        choices=noted.choices,
    )
    assert spelled.decisions
    assert spelled.choices
    assert spelled.faults
    return judged(spelled)


@pytest.fixture(scope="module")
def case(outcome: Judged) -> Case:
    return outcome.case()


@pytest.fixture
def changed(case: Case) -> Callable[..., str]:
    """The case's text with some fields given another value, or (for `...`) left out."""

    def change(**fields: object) -> str:
        told = {**json.loads(case.encode()), **fields}
        return json.dumps({key: value for key, value in told.items() if value is not ...})

    return change


def test_a_plan_comes_back_exactly(case: Case) -> None:
    assert decode_case(case.encode()).plan == case.plan


def test_everything_that_came_of_it_comes_back_exactly(case: Case) -> None:
    again = decode_case(case.encode())
    assert (again.verdict, again.why, again.digest) == (case.verdict, case.why, case.digest)
    assert again.history.encode() == case.history.encode()
    assert again.history.digest() == case.digest


def test_a_case_that_is_read_is_written_as_it_was(case: Case) -> None:
    assert decode_case(case.encode()).encode() == case.encode()


def test_a_plan_read_from_a_file_plays_to_the_same_digest(case: Case) -> None:
    assert judged(decode_case(case.encode()).plan).played.history.digest() == case.digest


@pytest.mark.parametrize("fidelity", ["message", "http", "socket"])
def test_what_a_plan_leaves_to_its_seed_stays_left_to_it(fidelity) -> None:
    plan = Plan(SCENARIOS["registered-again"], 5, fidelity=fidelity, schedule="pct")
    told = judged(plan).case()
    again = decode_case(told.encode()).plan
    assert again == plan
    assert (again.lanes, again.faults, again.decisions, again.choices) == (None,) * 4


def test_services_and_checkers_are_those_of_the_plan_not_of_the_scenario() -> None:
    scenario = replace(
        SCENARIOS["kill-after-ack"], services=("bot",), checkers=("acknowledged_is_kept",)
    )
    told = judged(Plan(scenario, 5, lanes=())).case()
    assert decode_case(told.encode()).plan.scenario == scenario


def test_the_one_registration_of_the_sweep_can_be_played_from_a_file() -> None:
    plan = Plan(ONE_REGISTRATION, 1, faults=())
    assert decode_case(judged(plan).case().encode()).plan == plan


def test_each_operation_of_the_history_has_a_line(case: Case) -> None:
    lines = case.encode().splitlines()
    assert sum('"time_us": ' in line for line in lines) == len(case.history.ops)


def test_a_file_is_read_by_its_path(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_text(case.encode())
    assert read_case(path).plan == case.plan


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.json"):
        read_case(tmp_path / "gone.json")


def test_a_file_of_bytes_that_are_no_text_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(CaseRefused, match=r"case\.json is no case: .*can't decode byte 0xff"):
        read_case(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "x.json is no case: Expecting value"),
        ("{", "x.json is no case: Expecting property name"),
        ("[" * 100_000, "x.json is no case: maximum recursion depth exceeded"),
        ("[]", "x.json is no case: it holds a list, not an object"),
        ("7", "x.json is no case: it holds a int, not an object"),
        ("{}", "x.json is no case: world is missing"),
    ],
)
def test_what_is_no_case_is_refused_by_its_name(text, sentence) -> None:
    with pytest.raises(CaseRefused) as refused:
        decode_case(text, "x.json")
    assert sentence in str(refused.value)


FIELDS = ("schema", "scenario", "world", "fidelity", "client", "server", "parts", "seed",
          "schedule", "services", "checkers", "lanes", "faults", "decisions", "choices",
          "verdict", "why", "digest", "history")  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_is_missing_is_named(changed, field) -> None:
    with pytest.raises(CaseRefused, match=f"^x.json is no case: {field} is missing$"):
        decode_case(changed(**{field: ...}), "x.json")


@pytest.mark.parametrize("field", [name for name in FIELDS if name not in {"why", "digest"}])
@pytest.mark.parametrize("value", [-7.5, [[[]]], {"a": {"b": []}}, "?", True])
def test_a_field_with_rubbish_in_it_is_refused_and_nothing_else_happens(
    changed, field, value
) -> None:
    with pytest.raises(CaseRefused, match=r"^x\.json"):
        decode_case(changed(**{field: value}), "x.json")


OP: dict[str, Any] = {"index": 0, "time_us": 0, "process": "bot", "type": "ok", "f": "x"}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"schema": 1}, f"x.json: it has schema 1; this version plays {SCHEMA}"),
        ({"schema": "2"}, f"x.json: it has schema '2'; this version plays {SCHEMA}"),
        ({"world": "mars"}, "x.json: it was seen in the world 'mars'; only sim can play it again"),
        ({"scenario": "no-such-thing"}, "x.json: there is no scenario 'no-such-thing'"),
        ({"fidelity": "hifi"}, "x.json: there is no fidelity 'hifi'"),
        ({"schedule": "chaos"}, "x.json: there is no schedule 'chaos'"),
        ({"parts": "tests.zoo.gone:X"}, "x.json: there are no parts 'tests.zoo.gone:X'"),
        (
            {"parts": "scenarios.zoo.planted:X"},
            "x.json: there are no parts 'scenarios.zoo.planted:X'",
        ),
        ({"parts": "json:dumps"}, "x.json: 'json:dumps' are no parts"),
        ({"parts": ".x:y"}, "x.json: there are no parts '.x:y'"),
        ({"seed": "3"}, "x.json: the seed is a whole number, not '3'"),
        ({"seed": True}, "x.json: the seed is a whole number, not True"),
        ({"checkers": ["nobody_looks"]}, "x.json: there is no checker 'nobody_looks'"),
        ({"services": []}, "x.json: it has no services"),
        ({"services": [7]}, "x.json: 7 is no text"),
        ({"services": "bot"}, "x.json: bot is no list"),
        ({"client": "nobody"}, "x.json: "),
        ({"server": "cmd:serve"}, "x.json: "),
        ({"lanes": [{}]}, "x.json is no case: a lane has service, at_s and operations"),
        ({"faults": [{"fault": {"fault": "flood"}}]}, "There is no fault 'flood'"),
        ({"decisions": {"bot": {"x": 1}}}, "x.json is no case: "),
        ({"decisions": {"bot": {"1": -1}}}, "x.json: -1 places for callback 1 of bot"),
        ({"choices": {"a": 1.0}}, "x.json: the choice 'a' is at least 0 and less than 1, not 1.0"),
        ({"choices": {"a": float("nan")}}, "x.json: the choice 'a' is at least 0"),
        ({"history": [{"index": 0}]}, "x.json is no case: history:1:"),
        ({"history": [OP, OP]}, "x.json is no case: history:2: index 0 comes after 0"),
        ({"verdict": []}, "x.json: [] is no object"),
    ],
)
def test_a_field_that_cannot_be_is_told_in_words(changed, fields, sentence) -> None:
    with pytest.raises(CaseRefused) as refused:
        decode_case(changed(**fields), "x.json")
    assert sentence in str(refused.value)


def test_a_case_of_the_world_local_says_how_it_is_run_again(changed) -> None:
    text = changed(
        world="local", scenario="answer-lost-once", seed=9, client="json:dumps", lanes=...
    )
    with pytest.raises(CaseRefused) as refused:
        decode_case(text, "x.json")
    assert str(refused.value) == (
        "x.json: it was seen in the world local, where nothing happens twice alike; run it again "
        "with: dtms-lab run answer-lost-once --world local --seed 9 --client json:dumps"
    )
