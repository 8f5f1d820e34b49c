from __future__ import annotations

import pytest

from scenarios.checkers.second_instance_exits import second_instance_exits
from scenarios.verdict import Unknown, Valid

STARTED = "0s world ok start dtms\n 1s world ok start dtms-second\n"


def test_it_ends_by_itself_and_tells_of_failure(history):
    text = STARTED + "2s world ok exited dtms-second exit_status=1\n 9s world ok exited dtms"
    assert second_instance_exits(history(text)) == Valid()


def test_somebody_else_that_ends_meanwhile_is_not_the_first(history):
    text = STARTED + "2s world ok exited bot\n 3s world ok exited dtms-second exit_status=1"
    assert second_instance_exits(history(text)) == Valid()


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        ("", "dtms-second went on beside the first"),
        ("2s world ok exited dtms", "dtms-second went on beside the first"),
        (
            "2s world ok exited dtms-second exit_status=0",
            "dtms-second ended as if all were well",
        ),
        (
            "2s world ok kill dtms-second\n 3s world ok exited dtms-second exit_status=-9",
            "dtms-second had to be ended",
        ),
        (
            "2s world ok exited dtms\n 3s world ok exited dtms-second exit_status=1",
            "dtms-second ended the first",
        ),
    ],
)
def test_one_that_stays_or_harms_is_invalid(history, rest, why):
    assert second_instance_exits(history(STARTED + rest)).why == why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no second instance was started"),
        ("0s world ok start dtms", "no second instance was started"),
        (STARTED + "2s world ok exited dtms-second", "how dtms-second ended was not recorded"),
    ],
)
def test_none_or_no_status_is_unknown(history, text, why):
    assert second_instance_exits(history(text)) == Unknown(why)
