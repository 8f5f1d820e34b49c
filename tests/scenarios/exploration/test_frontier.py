"""What is played next depends on the seed and on what came back, and on nothing else."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import pytest

from chaos.notation import decode_schedule
from scenarios.exploration import frontier as module
from scenarios.exploration.frontier import FRESH_SHARE, OFFSPRING, PLAIN_SHARE, Frontier
from scenarios.exploration.seedling import Seedling
from simulator.deterministic.schedule import KINDS

NAMES = ("answer-lost-once", "kill-after-ack", "registered-again")
TURNS = tuple(Seedling(name, 0, swarm=True) for name in NAMES)


def explored(seed: int, mark: Callable[[Seedling], str], rounds: int = 20) -> list[Seedling]:
    frontier = Frontier(TURNS, seed)
    taken: list[Seedling] = []
    for _round in range(rounds):
        seedlings = frontier.take(8)
        frontier.learn(seedlings, [mark(seedling) for seedling in seedlings])
        taken += seedlings
    return taken


def always_new(seedling: Seedling) -> str:
    return f"{seedling.scenario} {seedling.seed} {seedling.faults}"


def never_new(_seedling: Seedling) -> str:
    return "the same"


def is_fresh(seedling: Seedling, seed: int = 0) -> bool:
    return seed <= seedling.seed < seed + 1_000 and seedling.faults is None


def test_one_seed_explores_one_way() -> None:
    assert explored(3, always_new) == explored(3, always_new)


def test_another_seed_explores_another() -> None:
    assert explored(3, always_new) != explored(4, always_new)


def test_fresh_plans_take_turns_with_the_next_seed_each() -> None:
    taken = Frontier(TURNS, 100).take(7)
    assert [plan.seed for plan in taken] == list(range(100, 107))
    assert [plan.scenario for plan, _ in zip(taken, cycle(NAMES), strict=False)] == [
        name for name, _ in zip(cycle(NAMES), taken, strict=False)
    ]


def test_every_scenario_is_played_with_every_schedule() -> None:
    taken = Frontier(TURNS, 0).take(len(NAMES) * len(KINDS))
    assert {(plan.scenario, plan.schedule) for plan in taken} == {
        (name, kind) for name in NAMES for kind in KINDS
    }


def test_about_a_quarter_of_the_fresh_plans_have_no_swarm() -> None:
    taken = Frontier(TURNS, 0).take(1_000)
    plain = sum(not plan.swarm for plan in taken)
    assert abs(plain / len(taken) - PLAIN_SHARE) < 0.05


def test_no_plan_has_a_swarm_where_none_was_asked_for() -> None:
    turns = tuple(Seedling(name, 0) for name in NAMES)
    assert not any(plan.swarm for plan in Frontier(turns, 0).take(100))


def test_nothing_that_follows_has_other_faults_where_no_swarm_was_asked_for() -> None:
    frontier = Frontier(tuple(Seedling(name, 0) for name in NAMES), 0)
    for number in range(20):
        seedlings = frontier.take(8)
        frontier.learn(seedlings, [f"{number} {n}" for n in range(8)])
        assert not any(plan.swarm or plan.faults for plan in seedlings)


def test_a_new_behaviour_gets_offspring_of_the_same_scenario() -> None:
    frontier = Frontier(TURNS, 0)
    (parent,) = frontier.take(1)
    frontier.learn([parent], ["new"])
    following = [plan for plan in frontier.take(20) if not is_fresh(plan)]
    assert [plan.scenario for plan in following] == [parent.scenario] * OFFSPRING
    assert {plan.seed for plan in following}.isdisjoint({parent.seed})


def test_a_behaviour_that_was_seen_gets_none() -> None:
    frontier = Frontier(TURNS, 0)
    seedlings = frontier.take(2)
    frontier.learn(seedlings, ["the same", "the same"])
    following = [plan for plan in frontier.take(50) if not is_fresh(plan)]
    assert len(following) == OFFSPRING
    assert frontier.behaviours == 1


def test_what_could_not_be_played_gets_none() -> None:
    frontier = Frontier(TURNS, 0)
    frontier.learn(frontier.take(1), [""])
    assert all(is_fresh(plan) for plan in frontier.take(50))
    assert frontier.behaviours == 0


def test_about_half_of_the_plans_are_fresh_however_much_is_new() -> None:
    taken = explored(0, always_new, rounds=60)
    fresh = sum(is_fresh(plan) for plan in taken)
    assert abs(fresh / len(taken) - FRESH_SHARE) < 0.1


def test_all_plans_are_fresh_where_nothing_is_new() -> None:
    taken = explored(0, never_new)
    assert sum(not is_fresh(plan) for plan in taken) == OFFSPRING


def test_faults_of_offspring_can_be_read_back() -> None:
    with_faults = [plan for plan in explored(0, always_new) if plan.faults]
    assert with_faults
    for plan in with_faults:
        assert decode_schedule(list(plan.faults or ()))


def test_only_so_many_wait_to_be_gone_on_from(monkeypatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 3)
    frontier = Frontier(TURNS, 0)
    seedlings = frontier.take(20)
    frontier.learn(seedlings, [f"new {number}" for number in range(20)])
    following = [plan for plan in frontier.take(200) if not is_fresh(plan)]
    assert len(following) == 3


def test_only_so_many_behaviours_are_remembered(monkeypatch) -> None:
    monkeypatch.setattr(module, "SEEN_MAX", 3)
    frontier = Frontier(TURNS, 0)
    frontier.learn(frontier.take(5), [f"new {number}" for number in range(5)])
    assert frontier.behaviours == 3


def test_marks_belong_to_plans_one_by_one() -> None:
    frontier = Frontier(TURNS, 0)
    with pytest.raises(ValueError, match="shorter"):
        frontier.learn(frontier.take(2), ["one"])
