"""What holds of every scenario there is."""

from random import Random

import pytest

from chaos.choice import seeded
from chaos.nemesis import Nemesis
from scenarios.checkers import CHECKERS
from scenarios.episode import OF_FOREIGN
from scenarios.scenario import Family
from scenarios.suites import SCENARIOS, SUITES, select
from scenarios.workload import Lane, Register

EVERY = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)


def test_every_family_has_a_suite_and_no_name_is_used_twice() -> None:
    assert set(SUITES) == set(Family)
    assert sum(len(suite) for suite in SUITES.values()) == len(SCENARIOS) >= 35


def test_every_start_order_is_there() -> None:
    assert sum(name.startswith("order-") for name in SCENARIOS) == 24


def test_every_checker_is_asked_somewhere() -> None:
    asked = {name for scenario in SCENARIOS.values() for name in scenario.checkers}
    assert asked | {OF_FOREIGN} == set(CHECKERS)


@EVERY
def test_names_are_kebab_case_and_sentences_end(scenario) -> None:
    assert scenario.name == scenario.name.lower().replace("_", "-").replace(" ", "-")
    assert scenario.proves.endswith(".")
    assert scenario in SUITES[scenario.family]
    assert set(scenario.checkers) <= set(CHECKERS)


@EVERY
def test_the_same_seed_makes_the_same_episode(scenario) -> None:
    for seed in range(3):
        once, again = Random(seed), Random(seed)
        assert scenario.workload(once) == scenario.workload(again)
        assert scenario.faults(once) == scenario.faults(again)
        assert scenario.start_up(once) == scenario.start_up(again)


@EVERY
def test_the_workload_uses_only_actors_that_there_are(scenario) -> None:
    lanes = scenario.workload(Random(1))
    assert lanes
    assert all(isinstance(lane, Lane) for lane in lanes)
    assert {lane.service for lane in lanes} <= {*scenario.services, "broker", "auditor"}
    assert any(isinstance(op, Register) for lane in lanes for op in lane.operations)


@EVERY
def test_faults_a_world_lacks_are_refused_in_words(scenario) -> None:
    faults = scenario.faults(Random(1))
    nemesis = Nemesis(faults, {}, world="void", draw=seeded(1), record=lambda _f, _value: None)
    if not faults:
        nemesis.refuse_what_is_not_offered()
        return
    with pytest.raises(Exception, match='World "void" offers nothing'):
        nemesis.refuse_what_is_not_offered()


def test_names_choose_scenarios_and_families() -> None:
    assert select([]) == tuple(SCENARIOS.values())
    assert select(["down"]) == SUITES[Family.DOWN]
    assert [s.name for s in select(["flapping", "flapping"])] == ["flapping"]
    with pytest.raises(KeyError, match="no scenario or suite"):
        select(["dwon"])
