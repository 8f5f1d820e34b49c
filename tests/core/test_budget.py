import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.budget import WINDOW_S, RetryBudget


def test_three_retries_are_always_allowed_and_no_fourth() -> None:
    budget = RetryBudget()
    assert [budget.try_spend(0.0) for _ in range(4)] == [True, True, True, False]


def test_a_tenth_of_the_first_sends_is_allowed() -> None:
    budget = RetryBudget()
    for _ in range(100):
        budget.on_first_send(0.0)
    assert sum(budget.try_spend(0.0) for _ in range(50)) == 10


def test_retries_come_back_after_a_minute() -> None:
    budget = RetryBudget()
    for _ in range(3):
        budget.try_spend(0.0)
    assert not budget.try_spend(60.9)
    assert budget.try_spend(61.1)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 0.5)), max_size=300))
def test_no_minute_sees_more_than_it_may(steps) -> None:
    budget, now, firsts, retries = RetryBudget(), 0.0, [], []
    for is_first, gap_s in steps:
        now += gap_s
        if is_first:
            budget.on_first_send(now)
            firsts.append(now)
        elif budget.try_spend(now):
            retries.append(now)
            recent = [t for t in retries if t > now - WINDOW_S]
            # Counts are by the second: a first send may count for up to a second too long.
            sends = [t for t in firsts if t > now - WINDOW_S - 1]
            assert len(recent) <= max(3, 0.1 * len(sends))


def test_a_retry_counts_for_the_whole_of_its_minute() -> None:
    budget = RetryBudget()
    for _ in range(3):
        budget.try_spend(0.9)
    assert not budget.try_spend(60.5)


def test_a_first_send_counts_for_a_minute_and_no_longer() -> None:
    for now, allowed in ((60.0, 10), (60.5, 3)):
        budget = RetryBudget()
        for _ in range(100):
            budget.on_first_send(0.0)
        budget.on_first_send(59.5)
        assert sum(budget.try_spend(now) for _ in range(50)) == allowed


def test_what_is_counted_does_not_depend_on_where_the_clock_stands() -> None:
    budget = RetryBudget()
    for _ in range(100):
        budget.on_first_send(1000.5)
    assert sum(budget.try_spend(1010.0) for _ in range(50)) == 10
    assert not budget.try_spend(1050.0)


@pytest.mark.parametrize("retrying", [True, False])
def test_memory_does_not_grow_with_traffic(retrying: bool) -> None:
    budget = RetryBudget()
    for n in range(10_000):
        budget.on_first_send(n / 10)
        if retrying:
            budget.try_spend(n / 10)
    assert len(budget._firsts) <= WINDOW_S + 2


def test_memory_does_not_grow_within_a_second() -> None:
    budget = RetryBudget()
    for n in range(1000):
        budget.on_first_send(7 + n / 1000)
    assert len(budget._firsts) == 1
