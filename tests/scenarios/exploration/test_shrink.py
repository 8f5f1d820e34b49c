"""A failing plan is made small, and what is kept fails as the first did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.faults import Kill, Latency
from chaos.schedule import after_request, at
from scenarios.exploration import shrink as module
from scenarios.exploration.judged import Judged, judged
from scenarios.exploration.shrink import Shrinker, tickets_of
from scenarios.suites import SCENARIOS
from scenarios.verdict import Invalid, Valid
from scenarios.worlds.sim.play import Plan
from scenarios.worlds.world import EnvironmentFailed
from scenarios.zoo.planted import ACK_BEFORE_SYNC, LOOKUP_RACES_RECOVERY, NEVER_HALF_OPENS, PLANTED
from tests.zoo.hunt import catch, catch_soon, is_small

CHECKER = "acknowledged_is_kept"
BUGS = {bug.parts: bug for bug in PLANTED}
FAULTS = tuple(after_request(n, Kill("dtms"), for_s=0.1) for n in range(1, 7))


@pytest.fixture
def breaks_where(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Plan], bool]], Judged]:
    """In place of the simulation, a predicate: a plan fails where it says so. What is given is a
    first failure."""
    first = judged(Plan(SCENARIOS["answer-lost-once"], 1, faults=FAULTS, schedule="random"))

    def patch(fails: Callable[[Plan], bool]) -> Judged:
        def play(plan: Plan, *, note: bool = False, trail: bool = False) -> Judged:
            decisions = {"bot": dict.fromkeys(range(8), 1)} if note else {}
            choices = {f"key {n}": 0.5 for n in range(8)} if note else {}
            played = replace(first.played, decisions=decisions, choices=choices)
            return Judged(plan, played, {CHECKER: Invalid("so") if fails(plan) else Valid()})

        monkeypatch.setattr(module, "judged", play)
        return play(first.plan)

    return patch


def test_it_keeps_the_trades_the_faults_the_decisions_and_the_choices_that_are_needed(
    breaks_where,
) -> None:
    def fails(plan: Plan) -> bool:
        lanes, decisions, choices = plan.lanes, plan.decisions, plan.choices
        return (
            {FAULTS[1], FAULTS[4]} <= set(plan.faults or ())
            and (lanes is None or {1003, 1005} <= set(tickets_of(lanes)))
            and (decisions is None or {2, 6} <= set(decisions.get("bot", {})))
            and (choices is None or {"key 3"} <= set(choices))
        )

    plan = Shrinker(breaks_where(fails)).shrink().judged.plan
    assert plan.faults == (FAULTS[1], FAULTS[4])
    assert list(tickets_of(plan.lanes or ())) == [1003, 1005]
    assert plan.decisions == {"bot": {2: 1, 6: 1}}
    assert plan.choices == {"key 3": 0.5}


def test_crashes_that_count_are_made_to_count_less(breaks_where) -> None:
    shrunk = Shrinker(breaks_where(lambda plan: bool(plan.faults))).shrink()
    (fault,) = shrunk.judged.plan.faults or ()
    assert fault == after_request(1, Kill("dtms"), for_s=0.1)


def test_services_that_nobody_uses_any_more_are_left_out(breaks_where) -> None:
    shrunk = Shrinker(breaks_where(lambda plan: plan.lanes is None or bool(plan.lanes))).shrink()
    assert (shrunk.size["trades"], shrunk.size["services"]) == (1, 1)


def test_a_plan_that_stops_failing_is_never_kept(breaks_where) -> None:
    def fails(plan: Plan) -> bool:
        """With some and without others, as a race would have it."""
        return len(plan.faults or ()) in {3, 4, 6} and len(plan.choices or {}) % 3 != 1

    shrunk = Shrinker(breaks_where(fails)).shrink().judged
    assert isinstance(shrunk.verdicts[CHECKER], Invalid)
    assert fails(shrunk.plan)


def test_where_nothing_smaller_fails_the_first_is_kept(breaks_where) -> None:
    first = breaks_where(
        lambda plan: (plan.lanes, plan.decisions, plan.faults) == (None, None, FAULTS)
    )
    assert Shrinker(first).shrink().judged is first


def test_what_cannot_be_played_is_not_kept(breaks_where, monkeypatch) -> None:
    first = breaks_where(lambda _plan: True)

    def broken(_plan: Plan, **_how: bool) -> Judged:
        raise EnvironmentFailed("too little is left")

    monkeypatch.setattr(module, "judged", broken)
    assert Shrinker(first).shrink().judged is first


@pytest.mark.parametrize("budget", [0, 1, 7, 50])
def test_no_more_episodes_are_played_than_were_allowed(breaks_where, budget) -> None:
    played: list[Plan] = []

    def fails(plan: Plan) -> bool:
        played.append(plan)
        return set(FAULTS) <= set(plan.faults or ())

    first = breaks_where(fails)
    played.clear()
    shrunk = Shrinker(first, plays_max=budget).shrink()
    assert len(played) == shrunk.plays <= budget


def test_it_is_the_checker_asked_for_that_stays_broken() -> None:
    failing, checker = catch_soon(BUGS[ACK_BEFORE_SYNC], "pool-starvation")
    small = Shrinker(failing, checker).shrink().judged
    assert checker in small.broken


def test_one_plan_is_made_small_in_one_way() -> None:
    failing = judged(Plan(SCENARIOS["flapping"], 0, parts=NEVER_HALF_OPENS))
    one, other = Shrinker(failing).shrink(), Shrinker(failing).shrink()
    assert one.judged.plan == other.judged.plan
    assert one.plays == other.plays


def test_what_takes_several_faults_at_the_right_moment_is_made_small() -> None:
    bug, haunt = BUGS[LOOKUP_RACES_RECOVERY], "broker-down-at-restart"
    caught = [catch(bug, seed, [haunt], 300) for seed in range(4)]
    sizes = [Shrinker(found[0], found[1]).shrink().size for found in caught if found is not None]
    assert sizes
    assert [size for size in sizes if not is_small(size)] == []


def test_a_failure_of_which_nothing_is_left_but_a_fault_on_every_link_is_made_small() -> None:
    faults = (at(0.0, Latency("*->dtms", 10.0)), *FAULTS)
    failing = judged(Plan(SCENARIOS["down-before"], 1, faults=faults, parts=NEVER_HALF_OPENS))
    assert Shrinker(failing).shrink().size["faults"] <= 1
