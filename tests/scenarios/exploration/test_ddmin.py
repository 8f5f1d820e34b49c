"""Of what ddmin leaves, nothing can be left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scenarios.exploration.ddmin import ddmin

needs = st.frozensets(st.integers(0, 29), max_size=6)


@given(needs)
def test_what_is_needed_is_found_among_others(needed) -> None:
    assert set(ddmin(range(30), lambda left: needed <= set(left))) == needed


@given(st.lists(needs, min_size=1, max_size=4))
def test_where_several_would_do_no_single_one_can_be_left_out(enough) -> None:
    def fails(left: list[int]) -> bool:
        return any(needed <= set(left) for needed in enough)

    left = ddmin(range(30), fails)
    assert fails(left)
    assert not any(fails([kept for kept in left if kept != one]) for one in left)


@given(needs)
def test_the_order_is_kept(needed) -> None:
    left = ddmin(range(30), lambda left: needed <= set(left))
    assert left == sorted(left)


def test_where_nothing_can_be_left_out_all_is_kept() -> None:
    assert ddmin([1, 2, 3], lambda _left: False) == [1, 2, 3]


def test_of_nothing_nothing_is_asked() -> None:
    asked: list[list[int]] = []
    assert ddmin([], lambda left: bool(asked.append(left))) == []
    assert asked == []


def test_one_needle_in_a_large_stack_takes_few_tries() -> None:
    tries = 0

    def fails(left: list[int]) -> bool:
        nonlocal tries
        tries += 1
        return 700 in left

    assert ddmin(range(1_000), fails) == [700]
    assert tries < 40
