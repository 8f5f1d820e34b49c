from __future__ import annotations

import pytest

from scenarios.checkers.second_instance_exits import second_instance_exits
from scenarios.verdict import Unknown, Valid

RUNNING = "0s world ok start dtms\n 0.5s world ok ready dtms\n"
STARTED = RUNNING + "1s world ok start dtms-second\n"


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


WENT_ON = "9s world ok kill dtms-second\n 9s world ok exited dtms-second exit_status=-9"
FREE = Unknown("the first did not hold the port while dtms-second came")


@pytest.mark.parametrize(
    "first",
    [
        "0s world ok start dtms\n",
        RUNNING + "0.7s world ok exited dtms exit_status=-9\n",
        RUNNING + "0.7s world ok exited dtms exit_status=-9\n 0.8s world ok start dtms\n",
    ],
)
def test_a_second_that_finds_the_port_free_proves_nothing(history, first):
    text = first + "1s world ok start dtms-second\n" + WENT_ON
    assert second_instance_exits(history(text)) == FREE


@pytest.mark.parametrize(
    "death",
    [
        "1.1s world ok kill dtms\n 1.1s world ok exited dtms exit_status=-9\n",
        '1.1s nemesis ok inflict {"fault": "crash-at", "actor": "dtms"}\n'
        "1.2s world ok exited dtms exit_status=-9\n",
    ],
)
def test_a_first_that_the_lab_ends_leaves_the_port_to_the_second(history, death):
    assert second_instance_exits(history(STARTED + death + WENT_ON)) == FREE


def test_one_that_the_lab_ended_before_excuses_nothing(history):
    text = "0s world ok start dtms\n 0.1s world ok kill dtms\n 0.1s world ok exited dtms\n"
    assert not isinstance(second_instance_exits(history(text + STARTED + WENT_ON)), Unknown)
