"""Keyed randomness."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chaos.choice import benign, draw, happens, seeded

seeds = st.integers(min_value=0, max_value=2**64)
keys = st.text()


@given(seeds, keys)
def test_a_draw_lies_between_0_and_1(seed: int, key: str) -> None:
    assert 0.0 <= draw(seed, key) < 1.0


@given(seeds, keys, st.lists(keys, max_size=5))
def test_a_draw_does_not_depend_on_the_draws_before_it(
    seed: int, key: str, others: list[str]
) -> None:
    alone = seeded(seed)(key)
    later = seeded(seed)
    for other in others:
        later(other)
    assert later(key) == alone


def test_a_draw_stays_what_it_is_from_release_to_release() -> None:
    assert draw(1, "fault POST /dtms/trade/enable 1001 #0") == 0.8370721593410606


def test_seeds_and_keys_decide_differently() -> None:
    drawn = {draw(seed, f"key {n}") for seed in range(30) for n in range(30)}
    assert len(drawn) == 900


def test_draws_are_spread_evenly() -> None:
    drawn = [draw(3, f"key {n}") for n in range(4000)]
    tenths = [sum(n / 10 <= d < (n + 1) / 10 for d in drawn) for n in range(10)]
    assert all(320 < tenth < 480 for tenth in tenths)


@given(st.floats(min_value=0.0, max_value=0.999), keys)
def test_a_benign_draw_lets_nothing_happen_that_is_not_certain(
    probability: float, key: str
) -> None:
    assert not happens(probability, key, benign)


@given(seeds, keys)
def test_what_is_certain_happens_whatever_is_drawn(seed: int, key: str) -> None:
    assert happens(1.0, key, benign)
    assert happens(1.0, key, seeded(seed))


def test_something_of_a_third_happens_in_about_a_third_of_cases() -> None:
    happened = sum(happens(1 / 3, f"key {n}", seeded(5)) for n in range(3000))
    assert 900 < happened < 1100
