from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.port import retry_after_s
from core.retry import GiveUp, RetryPolicy, Wait, backoff_s, next_step

DRAWS = st.floats(0, 1, exclude_max=True)
POLICIES = st.builds(
    RetryPolicy,
    retries=st.integers(0, 10),
    base_s=st.floats(0.001, 10),
    factor=st.floats(1, 4),
    cap_s=st.floats(0.001, 60),
    deadline_s=st.floats(0.1, 600),
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(POLICIES, st.integers(1, 500), DRAWS)
def test_a_wait_is_within_nothing_and_the_exponential_or_the_cap(policy, failures, draw) -> None:
    ceiling = min(policy.cap_s, policy.base_s * policy.factor ** min(failures - 1, 64))
    assert 0 <= backoff_s(policy, failures, draw) <= ceiling


def test_jitter_is_full_and_doubles() -> None:
    policy = RetryPolicy(base_s=1, factor=2, cap_s=30)
    assert [backoff_s(policy, n, 0.5) for n in (1, 2, 3, 6, 7)] == [0.5, 1, 2, 15, 15]
    assert backoff_s(policy, 3, 0.0) == 0


def test_the_exponential_ends_where_the_power_is_certainly_finite() -> None:
    policy = RetryPolicy(base_s=1, factor=1.01, cap_s=3600)
    assert backoff_s(policy, 64, 0.5) < backoff_s(policy, 65, 0.5)
    assert backoff_s(policy, 65, 0.5) == backoff_s(policy, 66, 0.5) == 1.01**64 / 2
    assert backoff_s(RetryPolicy(factor=100), 10_000, 0.5) == 15


def test_the_usual_policy_is_the_contracts() -> None:
    assert RetryPolicy() == RetryPolicy(3, 1.0, 2.0, 30.0, 60.0)


def test_attempts_are_bounded() -> None:
    policy = RetryPolicy(retries=3)
    steps = [next_step(policy, n, 0, 0.1, None) for n in (1, 2, 3, 4)]
    assert [type(step) for step in steps] == [Wait, Wait, Wait, GiveUp]
    assert steps[-1] == GiveUp("4 attempts failed")


def test_who_draws_nothing_and_is_asked_for_nothing_goes_on_at_once() -> None:
    assert next_step(RetryPolicy(), 1, 0, 0.0, None) == Wait(0.0)


def test_who_would_pass_the_deadline_is_told_so() -> None:
    why = "the next attempt would pass the deadline of 60 s"
    assert next_step(RetryPolicy(), 1, 59.5, 0.5, None) == GiveUp(why)
    assert next_step(RetryPolicy(), 1, 59.4, 0.5, None) == Wait(0.5)


@given(POLICIES, st.integers(1, 10), DRAWS, st.floats(0, 60))
def test_what_the_server_asked_for_is_never_undercut(policy, failures, draw, asked_s) -> None:
    step = next_step(policy, failures, 0, draw, asked_s)
    assert isinstance(step, GiveUp) or step.seconds >= asked_s


@given(POLICIES, st.integers(1, 10), DRAWS, st.floats(0, 700))
def test_no_attempt_passes_the_deadline(policy, failures, draw, elapsed_s) -> None:
    step = next_step(policy, failures, elapsed_s, draw, None)
    assert isinstance(step, GiveUp) or elapsed_s + step.seconds < policy.deadline_s


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    later = (NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after_s(" 7 ", NOW) == 7
    assert retry_after_s(later, NOW) == 90
    assert retry_after_s("Thu, 01 Jan 1970 00:00:00 GMT", NOW) == 0


def test_a_retry_after_that_says_nothing_is_none() -> None:
    assert [retry_after_s(text, NOW) for text in (None, "", "soon", "-1", "1.5", "²")] == [None] * 6
    assert retry_after_s("Thu, 01 Jan 2026 00:00:00 -0000", NOW) is None
