"""Schedules are data, and refuse what cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.faults import Kill
from chaos.schedule import AfterRequest, Timed, Window, after_request, at, during, every

KILL = Kill("dtms")


def test_during_is_one_window() -> None:
    assert during(0.5, 2.0, KILL) == Timed(KILL, (Window(0.5, 2.0),))


def test_at_is_a_window_without_end() -> None:
    assert at(0.5, KILL) == Timed(KILL, (Window(0.5, None),))


def test_after_request_counts_registrations_by_default() -> None:
    assert after_request(3, KILL, for_s=0.2) == AfterRequest(KILL, 3, 0.2, "enable")


@given(
    st.floats(min_value=0.1, max_value=10),
    st.floats(min_value=0.01, max_value=0.99),
    st.integers(min_value=1, max_value=50),
)
def test_every_has_its_windows_one_period_apart(period_s: float, part: float, times: int) -> None:
    scheduled = every(period_s, KILL, for_s=period_s * part, times=times)
    assert isinstance(scheduled, Timed)
    assert len(scheduled.windows) == times
    assert scheduled.windows[0].start_s == period_s
    for one, two in zip(scheduled.windows, scheduled.windows[1:], strict=False):
        assert one.end_s is not None
        assert one.end_s < two.start_s
        assert two.start_s - one.start_s == pytest.approx(period_s)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: during(-1, 2, KILL), "cannot begin at -1 s"),
        (lambda: during(2, 2, KILL), "A fault from 2 s cannot end at 2 s"),
        (lambda: at(-1, KILL), "cannot begin at -1 s"),
        (lambda: every(1, KILL, for_s=1, times=2), "less than that, not 1 s"),
        (lambda: every(1, KILL, for_s=0.5, times=0), "1 to 10000 times, not 0"),
        (lambda: after_request(0, KILL), "there is no request 0"),
        (lambda: after_request(1, KILL, for_s=0), "does not last 0 s"),
        (lambda: after_request(1, KILL, op="enabel"), "no operation 'enabel'"),  # type: ignore[arg-type]
    ],
)
def test_a_schedule_that_cannot_be_is_refused_in_words(make: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        make()
    assert sentence in str(refused.value)
