"""Bugs of our own that exploration found stay mended, and their cases still reach them."""

from dataclasses import replace
from importlib.resources import as_file, files

import pytest

from scenarios.case import Case, read_case
from scenarios.exploration.judged import judged
from scenarios.exploration.replay import replay
from scenarios.worlds.sim.play import Plan
from simulator.deterministic.schedule import KINDS
from tests.zoo.relapses import RELAPSES

FOLDER = files("scenarios.suites") / "regressions"
NAMES = sorted(
    path.name.removesuffix(".json") for path in FOLDER.iterdir() if path.name.endswith(".json")
)
TRADES_MAX, OPS_MAX = 2, 100
NEIGHBOURS = 30
"""Other seeds that play the same faults and trades: a little sooner, a little later."""


def case_named(name: str) -> Case:
    with as_file(FOLDER / f"{name}.json") as path:
        return read_case(path)


def neighbours(case: Case) -> list[Plan]:
    return [
        replace(case.plan, seed=seed, schedule=KINDS[seed % 3], decisions=None, choices=None)
        for seed in range(NEIGHBOURS)
    ]


def test_there_is_one_at_least() -> None:
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_broken_any_more(name) -> None:
    case = case_named(name)
    assert replay(case).judged.broken == ()
    assert [plan.seed for plan in neighbours(case) if judged(plan).broken] == []


@pytest.mark.parametrize("name", NAMES)
def test_it_was_a_violation_when_it_was_found(name) -> None:
    assert "invalid" in case_named(name).verdict.values()


@pytest.mark.parametrize("name", NAMES)
def test_with_the_bug_put_back_it_breaks_the_same_property(name, monkeypatch) -> None:
    case = case_named(name)
    for target, relapse in RELAPSES[name]:
        monkeypatch.setattr(target, relapse)
    invalid = {checker for checker, verdict in case.verdict.items() if verdict == "invalid"}
    assert any(invalid & set(judged(plan).broken) for plan in (case.plan, *neighbours(case)))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small(name) -> None:
    case = case_named(name)
    assert case.plan.lanes is not None
    assert sum(len(lane.operations) for lane in case.plan.lanes) <= 2 * TRADES_MAX
    assert len(case.history.ops) <= OPS_MAX


@pytest.mark.parametrize("name", NAMES)
def test_the_folder_tells_what_it_was(name) -> None:
    assert f"| `{name}` |" in (FOLDER / "README.md").read_text()
