"""The search for an order, against one that tries them all."""

from __future__ import annotations

from random import Random

import pytest

from scenarios.linearizability.judge import (
    ENOUGH,
    Budget,
    Exhausted,
    Linearizable,
    began_in_order,
    linearize,
)
from scenarios.linearizability.model import IMPOSSIBLE, UNKNOWN, Operation
from scenarios.linearizability.models import MODELS
from scenarios.linearizability.prefix import smallest_prefix, up_to
from scenarios.linearizability.search import Search
from scenarios.linearizability.verdict import told_order
from tests.scenarios.linearizability.small_histories import has_an_order, small

HISTORIES = 20_000


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_it_agrees_with_whoever_tries_every_order(model):
    random = Random(7)
    found = {True: 0, False: 0}
    for _nth in range(HISTORIES):
        operations = small(model, random)
        search = Search(model, operations, ENOUGH.memory)
        verdict = search.run(10**9)
        assert verdict is has_an_order(model, operations, model.begin), operations
        found[verdict] += 1
    assert min(found.values()) > HISTORIES / 20, found


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_where_what_is_known_is_allowed_as_it_began_there_is_an_order(model):
    random = Random(12)
    found = {True: 0, False: 0}
    for _nth in range(HISTORIES // 4):
        operations = small(model, random)
        random.shuffle(operations)
        as_it_began = began_in_order(model, operations)
        if as_it_began:
            assert has_an_order(model, operations, model.begin), operations
        found[as_it_began] += 1
    assert min(found.values()) > 100, found


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_what_has_no_order_is_shown_by_its_smallest_prefix(model):
    random, seen = Random(11), 0
    for _nth in range(2_000):
        operations = small(model, random)
        told = linearize(model, {"k": operations})
        if isinstance(told, Linearizable):
            continue
        seen += 1
        ended = told.contradiction.operation.ended
        assert not has_an_order(model, up_to(operations, ended), model.begin), operations
        assert has_an_order(model, up_to(operations, ended - 1), model.begin), operations
        assert is_an_order(model, told.contradiction, up_to(operations, ended - 1))
    assert seen > 100


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_a_search_that_pauses_finds_the_same(model):
    random = Random(8)
    for _nth in range(500):
        operations = small(model, random)
        search = Search(model, operations, ENOUGH.memory)
        while (verdict := search.run(1)) is None:
            pass
        assert verdict is Search(model, operations, ENOUGH.memory).run(10**9)


def is_an_order(model, told, operations):
    """Whether all that ended is in the order, and comes to the state that is told."""
    state = model.begin
    for operation in told.order:
        state = model.step(state, operation.f, operation.asked, operation.outcome)
        assert state is not IMPOSSIBLE
    known = {operation for operation in operations if operation.ended is not None}
    return known <= set(told.order) <= set(operations) and state == told.state


def test_the_order_that_it_found_is_one():
    model = MODELS["registration"]
    random, seen = Random(9), 0
    for _nth in range(2_000):
        operations = small(model, random)
        search = Search(model, operations, ENOUGH.memory)
        if search.run(10**9):
            seen += 1
            assert is_an_order(model, search, operations)
    assert seen > 100


def hard(writes: int) -> list[Operation]:
    """Every write is unknown and other than the rest, and the last read is of none of them."""
    unknown = [Operation("write", n, UNKNOWN, n, None) for n in range(writes)]
    reads = [Operation("read", None, n, writes + 2 * n, writes + 2 * n + 1) for n in range(writes)]
    return [*unknown, *reads, Operation("read", None, -1, 4 * writes, 4 * writes + 1)]


def test_many_writes_of_unknown_outcome_are_no_obstacle():
    search = Search(MODELS["register"], hard(60), ENOUGH.memory)
    assert search.run(1_000_000) is False
    assert search.farthest == 4 * 60 + 1


@pytest.mark.parametrize("budget", [Budget(steps=50), Budget(memory=20)], ids=["steps", "memory"])
def test_a_budget_that_is_spent_says_so(budget, monkeypatch):
    monkeypatch.setattr("scenarios.linearizability.judge.TURN_STEPS", 10)
    told = linearize(MODELS["register"], {"k": hard(60)}, budget)
    assert isinstance(told, Exhausted)
    assert told.keys == ("k",)


def test_one_that_is_hard_does_not_hide_one_that_is_wrong(monkeypatch):
    monkeypatch.setattr("scenarios.linearizability.judge.TURN_STEPS", 10)
    wrong = [Operation("read", None, 5, 0, 1)]
    told = linearize(MODELS["register"], {"hard": hard(60), "wrong": wrong}, Budget(steps=60))
    assert told.key == "wrong"
    assert told.contradiction.operation == wrong[0]


def test_each_object_has_an_order_of_its_own():
    one = [Operation("write", 1, None, 0, 3), Operation("read", None, 1, 1, 2)]
    assert linearize(MODELS["register"], {"a": one, "b": one}) == Linearizable(2)


def test_what_was_reached_with_less_is_no_reason_to_leave_out_what_was_reached_with_other():
    unknown = [("cas", (0, 1), 2), ("cas", (1, 2), 3), ("write", 2, 4), ("cas", (2, 0), 5)]
    operations = [
        Operation("write", 0, None, 0, 1),
        *(Operation(f, asked, UNKNOWN, began, None) for f, asked, began in unknown),
        Operation("read", None, 2, 6, 7),
        Operation("read", None, 1, 8, 9),
    ]
    model = MODELS["cas-register"]
    assert has_an_order(model, operations, model.begin)
    assert linearize(model, {"k": operations}) == Linearizable(1)


def test_adds_of_unknown_outcome_are_no_obstacle_to_a_read_that_shows_some():
    adds = [Operation("add", n, UNKNOWN, n, None) for n in range(200)]
    shown = frozenset(range(0, 200, 2))
    reads = [Operation("read", None, shown, 200, 201), Operation("read", None, shown, 202, 203)]
    search = Search(MODELS["set"], [*adds, *reads], ENOUGH.memory)
    assert search.run(100_000) is True
    assert {o.asked for o in search.order if o.f == "add"} == shown


def test_memory_is_bounded_and_what_is_remembered_is_weighed():
    adds = [Operation("add", n, None, 2 * n, 2 * n + 1) for n in range(400)]
    search = Search(MODELS["set"], adds, 1_000)
    assert search.run(10**9) is None
    assert search.full
    assert 1_000 <= search.remembered < 1_200
    told = linearize(MODELS["set"], {"k": adds}, Budget(memory=1_000))
    assert isinstance(told, Exhausted)


def test_two_ends_at_one_index_are_no_trouble():
    reads = [Operation("read", None, 5, 0, 3), Operation("read", None, 6, 1, 3)]
    told = linearize(MODELS["register"], {"k": reads})
    assert told.contradiction.operation in reads


def test_an_order_that_was_not_found_in_time_is_not_told():
    ten = [Operation("write", n, None, 2 * n, 2 * n + 1) for n in range(10)]
    wrong = [*ten, Operation("read", None, 3, 20, 21)]
    model = MODELS["register"]
    told = smallest_prefix(model, wrong, 21, steps=3, memory=ENOUGH.memory)
    assert (told.operation, told.order) == (wrong[-1], None)
    assert told_order(told) == []
    told = smallest_prefix(model, wrong, 21, steps=1_000, memory=ENOUGH.memory)
    assert told.order == tuple(ten)
