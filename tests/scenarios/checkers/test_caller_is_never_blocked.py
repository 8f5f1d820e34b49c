from __future__ import annotations

import pytest

from scenarios.checkers.caller_is_never_blocked import caller_is_never_blocked
from scenarios.verdict import Unknown, Valid


@pytest.mark.parametrize(
    "text",
    [
        "1s bot/0 invoke register 1001\n 13s bot/0 ok register 1001",
        "1s bot/0 invoke register 1001\n 2s bot/0 info register 1001 ! pending",
        "1s bot/0 invoke register 1001\n 2s bot/0 fail register 1001 reason=rejected",
        # Still within its bound when the history ends.
        "1s bot/0 invoke register 1001\n 9s world ok phase end",
        # Time in which the service was stopped, and calls whose process died, do not count.
        "1s bot/0 invoke register 1001\n 2s world ok pause bot\n 8s world ok resume bot\n"
        "18s bot/0 ok register 1001",
        "1s bot/0 invoke register 1001\n 99s bot/0 info register 1001 ! process died: killed",
        "1s bot/0 invoke register 1001\n 2s bot/0 ok register 1001\n"
        "3s bot/0 invoke register 1002\n 4s world ok exited bot\n 99s world ok phase end",
    ],
)
def test_calls_that_came_back_in_time_are_valid(history, text):
    assert caller_is_never_blocked(history(text)) == Valid()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "1s bot/0 invoke register 1001\n 13.001s bot/0 ok register 1001",
            "registering 1001 took 12.001 s, 12 s are allowed",
        ),
        (
            "1s bot/0 invoke register 1001\n 18s bot/0 info register 1001 ! no answer in 17 s",
            "registering 1001 took 17.000 s, 12 s are allowed",
        ),
        (
            "1s bot/0 invoke register 1001\n 14s world ok phase end",
            "registering 1001 had not come back after 13.000 s, 12 s are allowed",
        ),
        (
            "1s bot/0 invoke register 1001\n"
            "2s bot/0 info register 1001 ! raised ValueError: no entry",
            "registering 1001 raised ValueError: no entry",
        ),
        # Somebody else's pause is no excuse.
        (
            "1s bot/0 invoke register 1001\n 2s world ok pause dtms\n 8s world ok resume dtms\n"
            "18s bot/0 ok register 1001",
            "registering 1001 took 17.000 s, 12 s are allowed",
        ),
        (
            "1s bot/0 invoke register 1001\n 2s world ok exited desktop\n14s world ok phase end",
            "registering 1001 had not come back after 13.000 s, 12 s are allowed",
        ),
    ],
)
def test_late_hanging_or_raising_is_invalid(history, text, why):
    verdict = caller_is_never_blocked(history(text))
    assert (verdict.why, verdict.tickets) == (why, (1001,))


def test_raised_told_as_the_reason_of_a_failure_is_invalid(history):
    told = history(
        "1s bot/0 invoke register 1001\n"
        '2s bot/0 fail register {"ticket": 1001, "reason": "raised KeyError: 1"}'
    )
    assert caller_is_never_blocked(told).why == "registering 1001 raised KeyError: 1"


def test_the_bound_is_the_headers(history):
    text = "1s bot/0 invoke register 1001\n 2s bot/0 ok register 1001"
    verdict = caller_is_never_blocked(history(text, bounds={"blocked_s": 0.5}))
    assert verdict.why == "registering 1001 took 1.000 s, 0.5 s are allowed"


@pytest.mark.parametrize(
    ("text", "bounds", "why"),
    [
        ("", {"blocked_s": 1}, "no registration was asked for"),
        (
            "1s bot/0 invoke register 1001",
            {},
            "the history does not say how long a caller may wait",
        ),
        (
            "1s bot/0 invoke register 1001\n 2s world ok exited bot",
            {"blocked_s": 1},
            "every caller died before it was answered",
        ),
    ],
)
def test_nothing_to_measure_is_unknown(history, text, bounds, why):
    assert caller_is_never_blocked(history(text, bounds=bounds)) == Unknown(why)
