"""One scenario, two worlds, one judge: the simulation and real processes come to the same verdicts.

Each scenario is played once at full socket fidelity and once on real processes, with the same seed;
then it is checked, checker by checker, that both worlds say the same. All in one file, so that one
worker runs the campaign once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from scenarios.campaign import Campaign
from scenarios.exploration.workers import cores
from scenarios.output import word
from scenarios.suites import SCENARIOS
from scenarios.targets.targets import Targets
from scenarios.trial import Outcome, Trial, WorldName
from scenarios.verdict import Unknown

pytestmark = pytest.mark.timeout(600)

SEED = 1
JOBS = 6
"""Real episodes beside each other: most of their time they wait."""

EXCEPTIONS: Mapping[tuple[str, str], str] = {}
"""By scenario and checker: why the worlds may say otherwise."""

IN_BOTH = tuple(name for name, scenario in SCENARIOS.items() if not scenario.virtual_only)

Outcomes = Mapping[tuple[str, WorldName], Outcome]


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory) -> Outcomes:
    """What came of every scenario in each world."""
    campaign = Campaign(
        scenarios=[replace(scenario, episodes=1) for scenario in SCENARIOS.values()],
        targets=Targets(),
        worlds=("sim", "local"),
        fidelity="socket",
        seed=SEED,
        repeat=1,
        jobs=JOBS,
        workers=cores(),
        folder=tmp_path_factory.mktemp("parity"),
    )
    found: dict[tuple[str, WorldName], Outcome] = {}

    def on_outcome(outcome: Outcome) -> None:
        found[outcome.trial.scenario.name, outcome.trial.world] = outcome

    def ignore(*_told: Trial | object) -> None:
        """The outcome says it."""

    asyncio.run(campaign.run(ignore, on_outcome, ignore))
    return found


@pytest.mark.parametrize("name", IN_BOTH)
def test_both_worlds_say_the_same(outcomes, name) -> None:
    sim, local = outcomes[name, "sim"], outcomes[name, "local"]
    assert (sim.environment, local.environment) == ("", "")
    assert sim.verdicts.keys() == local.verdicts.keys()
    assert differing(sim, local) == {}


@pytest.mark.parametrize("name", IN_BOTH)
def test_every_checker_of_the_scenario_spoke(outcomes, name) -> None:
    for world in ("sim", "local"):
        assert set(outcomes[name, world].verdicts) == set(SCENARIOS[name].checkers)


def test_exceptions_are_of_scenarios_and_checkers_that_there_are() -> None:
    for name, checker in EXCEPTIONS:
        assert checker in SCENARIOS[name].checkers


def test_few_scenarios_are_played_in_one_world_only() -> None:
    assert {name for name in SCENARIOS if name not in IN_BOTH} == {"outage-outlasts-the-callers"}


def test_worlds_that_differ_would_be_told(outcomes) -> None:
    sim = outcomes["answer-lost-once", "sim"]
    odd = replace(sim, verdicts={**sim.verdicts, "failure_is_honest": Unknown("nobody asked")})
    assert differing(sim, odd) == {"failure_is_honest": "sim valid, local unknown nobody asked"}


def differing(sim: Outcome, local: Outcome) -> dict[str, str]:
    """What each world says where they say otherwise and nobody said why they may."""
    name = sim.trial.scenario.name
    return {
        checker: f"sim {told(sim, checker)}, local {told(local, checker)}"
        for checker in sim.verdicts
        if word(sim.verdicts[checker]) != word(local.verdicts[checker])
        and (name, checker) not in EXCEPTIONS
    }


def told(outcome: Outcome, checker: str) -> str:
    verdict = outcome.verdicts[checker]
    return f"{word(verdict)} {verdict.why}".strip()
