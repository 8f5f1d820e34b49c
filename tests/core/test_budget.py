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
    assert not budget.try_spend(WINDOW_S - 0.1)
    assert budget.try_spend(WINDOW_S + 1.1)


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


def test_memory_does_not_grow_with_traffic() -> None:
    budget = RetryBudget()
    for n in range(10_000):
        budget.on_first_send(n / 10)
        budget.try_spend(n / 10)
    assert len(budget._firsts) <= WINDOW_S + 2
