import math

from hypothesis import given
from hypothesis import strategies as st

from core.breaker import TRANSITIONS, Breaker, Event, State


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(threshold=5, cooldown_s=30)
    for _ in range(5):
        breaker.on_failure(at)
    return breaker


def test_every_state_is_listed_and_reachable() -> None:
    assert set(TRANSITIONS) == set(State)
    reached = {State.CLOSED}
    for _ in State:
        reached |= {after for before in reached for after in TRANSITIONS[before].values()}
    assert reached == set(State)


def test_four_failures_do_not_open_it_and_the_fifth_does() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.on_failure(0.0)
    assert breaker.state(0.0) is State.CLOSED
    breaker.on_failure(0.0)
    assert breaker.state(0.0) is State.OPEN


def test_a_success_in_between_starts_the_count_anew() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.on_failure(0.0)
    breaker.on_success(0.0)
    for _ in range(4):
        breaker.on_failure(0.0)
    assert breaker.state(0.0) is State.CLOSED
    breaker.on_failure(0.0)
    assert breaker.state(0.0) is State.OPEN


def test_while_open_nothing_passes_until_it_has_cooled() -> None:
    breaker = opened()
    assert not breaker.allow(29.9)
    assert breaker.retry_in_s(10.0) == 20.0
    assert breaker.allow(30.0)


def test_half_open_lets_a_single_probe_through() -> None:
    breaker = opened()
    assert [breaker.allow(30.0) for _ in range(3)] == [True, False, False]
    assert breaker.state(30.0) is State.HALF_OPEN


def test_a_good_probe_closes_it() -> None:
    breaker = opened()
    breaker.allow(30.0)
    breaker.on_success(31.0)
    assert breaker.state(31.0) is State.CLOSED
    breaker.on_failure(31.0)
    assert breaker.state(31.0) is State.CLOSED


def test_a_bad_probe_opens_it_for_another_cooldown() -> None:
    breaker = opened()
    breaker.allow(30.0)
    breaker.on_failure(31.0)
    assert not breaker.allow(60.9)
    assert breaker.allow(61.0)


def test_a_good_probe_opens_it_to_all_and_starts_the_count_anew() -> None:
    breaker = opened()
    breaker.allow(30.0)
    breaker.on_success(31.0)
    assert breaker.retry_in_s(31.0) == 0.0
    assert [breaker.allow(31.0) for _ in range(3)] == [True, True, True]
    for _ in range(4):
        breaker.on_failure(31.0)
    assert breaker.state(31.0) is State.CLOSED


def test_an_answer_from_before_it_opened_does_not_close_it() -> None:
    breaker = opened()
    breaker.on_success(1.0)
    assert breaker.state(1.0) is State.OPEN
    assert breaker.retry_in_s(1.0) == 29.0


def test_failures_while_it_is_open_change_nothing() -> None:
    breaker = opened()
    breaker.on_failure(1.0)
    breaker.on_success(2.0)
    breaker.on_failure(3.0)
    assert breaker.state(3.0) is State.OPEN
    assert breaker.retry_in_s(3.0) == 27.0


def test_a_bad_probe_opens_it_whatever_was_counted_before() -> None:
    breaker = opened()
    breaker.on_success(1.0)
    breaker.allow(30.0)
    breaker.on_failure(31.0)
    assert breaker.state(31.0) is State.OPEN
    assert breaker.retry_in_s(31.0) == 30.0


def test_the_usual_cooldown_is_half_a_minute() -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker.on_failure(0.0)
    assert breaker.retry_in_s(0.0) == 30.0
    assert breaker.retry_in_s(29.5) == 0.5


def test_a_probe_that_never_ends_is_forgotten() -> None:
    breaker = opened()
    assert breaker.allow(30.0)
    assert breaker.retry_in_s(40.0) == 20.0
    assert not breaker.allow(59.9)
    assert breaker.allow(60.0)


@given(
    st.lists(
        st.tuples(st.sampled_from(["allow", "success", "failure"]), st.floats(0, 20)), max_size=80
    )
)
def test_between_opening_and_cooling_nothing_is_ever_allowed(steps) -> None:
    breaker, now, opened_at = Breaker(threshold=3, cooldown_s=10), 0.0, None
    for step, gap in steps:
        now += gap
        before = breaker.state(now)
        if step == "allow":
            allowed = breaker.allow(now)
            assert not (before is State.OPEN and allowed)
            if opened_at is not None and now - opened_at < 10:
                assert not allowed
        else:
            breaker.on_success(now) if step == "success" else breaker.on_failure(now)
        after = breaker.state(now)
        if after is State.OPEN and before is not State.OPEN:
            opened_at = now
        elif after is not State.OPEN:
            opened_at = None


def test_events_are_all_used() -> None:
    assert {event for row in TRANSITIONS.values() for event in row} == set(Event)


def test_a_closed_breaker_has_nothing_to_wait_for() -> None:
    assert Breaker().retry_in_s(0.0) == 0.0


def test_half_open_without_a_probe_has_nothing_to_wait_for() -> None:
    assert opened().retry_in_s(30.0) == 0.0


@given(st.floats(0, 1e6), st.floats(0.001, 1e4))
def test_who_has_nothing_to_wait_for_is_let_through_and_nobody_else(opened_at, cooldown_s) -> None:
    for now in (opened_at + cooldown_s, math.nextafter(opened_at + cooldown_s, 0)):
        breaker = Breaker(threshold=1, cooldown_s=cooldown_s)
        breaker.on_failure(opened_at)
        waits_s = breaker.retry_in_s(now)
        assert breaker.allow(now) is (waits_s == 0)
