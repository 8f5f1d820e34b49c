"""Schedules: what order they make, that it is the same again, and that nobody waits for ever."""

import asyncio
import contextvars
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.deterministic.loop import SimLoop
from simulator.deterministic.process import Process
from simulator.deterministic.schedule import (
    PLACES_MAX,
    Noted,
    Pct,
    RandomWalk,
    Schedule,
    Scripted,
    schedule_of,
)

SEEDS = range(30)
RANDOM = pytest.mark.parametrize("kind", [RandomWalk, Pct])


def order_of(schedule: Schedule | None, tasks: int = 6, turns: int = 20) -> list[tuple[int, int]]:
    """In which order equal tasks of one process take their turns."""
    loop, taken = SimLoop(schedule), []

    async def work(n: int) -> None:
        for turn in range(turns):
            taken.append((n, turn))
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(work(n) for n in range(tasks)))

    async def root() -> None:
        await loop.spawn(Process("bot"), main())

    loop.run(root())
    loop.close()
    return taken


class Given:
    """Puts the nth callback back by what is given."""

    by_task = False

    def __init__(self, places: list[int]) -> None:
        self._given = places

    def places(self, process: str, nth: int, context: contextvars.Context) -> int:
        return self._given[nth] if nth < len(self._given) else 0


def test_without_a_schedule_tasks_take_turns() -> None:
    assert order_of(None, 3, 4) == [(n, turn) for turn in range(4) for n in range(3)]


def test_a_schedule_that_decides_nothing_is_first_come_first_served() -> None:
    assert order_of(Scripted({})) == order_of(None)


@RANDOM
def test_the_same_seed_makes_the_same_order(kind) -> None:
    assert order_of(kind(7)) == order_of(kind(7))


@RANDOM
def test_other_seeds_make_other_orders(kind) -> None:
    orders = {tuple(order_of(kind(seed))) for seed in SEEDS}
    assert len(orders) > len(SEEDS) * 0.9
    assert tuple(order_of(None)) not in orders


@RANDOM
def test_each_process_is_decided_about_for_itself(kind) -> None:
    context = contextvars.Context()
    both, one = kind(1), kind(1)
    walks = {"a": [], "b": []}
    for nth in range(50):
        for name, walk in walks.items():
            walk.append(both.places(name, nth, context))
    assert walks["a"] != walks["b"]
    assert [one.places("a", nth, context) for nth in range(50)] == walks["a"]


@RANDOM
def test_no_callback_is_put_back_further_than_the_bound(kind) -> None:
    context = contextvars.Context()
    put = {kind(seed).places("bot", nth, context) for seed in range(300) for nth in range(10)}
    assert min(put) == 0
    assert PLACES_MAX - 5 < max(put) < PLACES_MAX


@given(st.lists(st.integers(0, PLACES_MAX), max_size=150))
@settings(max_examples=60, deadline=None)
def test_nobody_waits_behind_more_than_so_many_that_came_later(places) -> None:
    loop, ran = SimLoop(Given(places)), []
    number = len(places)

    async def main() -> None:
        for n in range(number):
            loop.call_soon(ran.append, n, context=process.context.copy())
        await asyncio.sleep(1)

    process = Process("bot")
    loop.run(main())
    loop.close()
    assert sorted(ran) == list(range(number))
    for position, n in enumerate(ran):
        overtaken_by = sum(1 for earlier in ran[:position] if earlier > n)
        assert overtaken_by <= places[n] <= PLACES_MAX


@pytest.mark.parametrize("kind", ["random", "pct"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_decisions_that_were_noted_make_the_same_order_again(kind, seed) -> None:
    noted = Noted(schedule_of(kind, seed))
    first = order_of(noted)
    assert noted.decisions["bot"]
    assert 0 not in noted.decisions["bot"].values()
    assert order_of(Scripted(noted.decisions)) == first


def test_taking_a_decision_away_leaves_the_others() -> None:
    noted = Noted(RandomWalk(5))
    order_of(noted)
    kept = dict(noted.decisions["bot"])
    gone = sorted(kept)[len(kept) // 2]
    del kept[gone]
    again = Noted(Scripted({"bot": kept}))
    order_of(again)
    assert again.decisions == {"bot": kept}


def test_a_script_cannot_put_back_further_than_the_bound() -> None:
    assert Scripted({"bot": {0: 10_000}}).places("bot", 0, contextvars.Context()) == PLACES_MAX


def test_the_lab_itself_is_never_put_back() -> None:
    loop, ran = SimLoop(Given([])), []
    loop._schedule = RandomWalk(1)

    async def main() -> None:
        for n in range(100):
            loop.call_soon(ran.append, n)
        await asyncio.sleep(1)

    loop.run(main())
    loop.close()
    assert ran == list(range(100))


@RANDOM
@pytest.mark.parametrize("seed", SEEDS)
def test_whoever_polls_does_not_keep_the_others_from_working(kind, seed) -> None:
    """Under strict priorities this would spin for ever."""
    loop, done = SimLoop(kind(seed), steps_max=20_000), []

    async def poll() -> None:
        while not done:  # noqa: ASYNC110 - polling is the point
            await asyncio.sleep(0)

    async def work() -> None:
        for _turn in range(20):
            await asyncio.sleep(0)
        done.append(True)

    async def main() -> None:
        await asyncio.gather(poll(), poll(), work(), poll())

    async def root() -> None:
        await loop.spawn(Process("bot"), main())

    loop.run(root())
    loop.close()


def races(schedule: Schedule | None) -> bool:
    """Whether two tasks both found that the other had not been there: check, then act."""
    loop, taken = SimLoop(schedule), []

    async def take(begins_after: int) -> None:
        for _turn in range(begins_after):
            await asyncio.sleep(0)
        if not taken:
            await asyncio.sleep(0)
            taken.append(begins_after)

    async def main() -> None:
        await asyncio.gather(take(0), take(4))

    async def root() -> None:
        await loop.spawn(Process("bot"), main())

    loop.run(root())
    loop.close()
    return len(taken) == 2


def test_first_come_first_served_never_meets_the_race() -> None:
    assert not races(None)


@pytest.mark.parametrize("make", [RandomWalk, Pct])
def test_a_race_is_met_within_a_few_seeds(make: Callable[[int], Schedule]) -> None:
    met = [seed for seed in range(100) if races(make(seed))]
    assert met
    assert met[0] < 20
    assert len(met) < 100
