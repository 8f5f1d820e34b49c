"""The world `docker` comes to the verdicts of the others: some scenarios of every family."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from scenarios.campaign import Campaign
from scenarios.exploration.workers import cores
from scenarios.output import word
from scenarios.scenario import Family
from scenarios.suites import SCENARIOS
from scenarios.targets.targets import Targets
from scenarios.trial import WORLDS, Outcome, WorldName
from tests.engine import engine_or_skip

pytestmark = pytest.mark.timeout(600)

SEED = 1
JOBS = 3
"""Containers are started by one engine, which takes its time."""
PLAYED = (
    "down-during",
    "answer-lost-once",
    "frozen-server",
    "errors-then-fine",
    "same-trade-everywhere",
    "second-instance",
    "resent-after-restart",
    "kill-after-ack",
    "crash-after-commit",
    "manager-fails-after-accepting",
)

Outcomes = Mapping[tuple[str, WorldName], Outcome]


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory) -> Outcomes:
    """What came of each in each world."""
    engine_or_skip().close()
    campaign = Campaign(
        scenarios=[replace(SCENARIOS[name], episodes=1) for name in PLAYED],
        targets=Targets(),
        worlds=WORLDS,
        fidelity="socket",
        seed=SEED,
        repeat=1,
        jobs=JOBS,
        workers=cores(),
        folder=tmp_path_factory.mktemp("docker-parity"),
    )
    found: dict[tuple[str, WorldName], Outcome] = {}

    def on_outcome(outcome: Outcome) -> None:
        found[outcome.trial.scenario.name, outcome.trial.world] = outcome

    asyncio.run(campaign.run(lambda _trial: None, on_outcome, lambda _trial, _small: None))
    return found


@pytest.mark.parametrize("name", PLAYED)
def test_containers_get_the_verdicts_of_processes_and_of_the_simulation(outcomes, name) -> None:
    said = {world: words(outcomes[name, world]) for world in WORLDS}
    assert said["docker"] == said["local"] == said["sim"]
    assert set(said["docker"]) == set(SCENARIOS[name].checkers)


def test_every_family_is_played() -> None:
    assert {SCENARIOS[name].family for name in PLAYED} == set(Family)


def words(outcome: Outcome) -> dict[str, str]:
    """By checker. What the environment did is no verdict."""
    assert outcome.environment == ""
    return {name: word(verdict) for name, verdict in outcome.verdicts.items()}
