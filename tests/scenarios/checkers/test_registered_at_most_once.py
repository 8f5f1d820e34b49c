from __future__ import annotations

import pytest

from scenarios.checkers.registered_at_most_once import registered_at_most_once
from scenarios.verdict import Unknown, Valid

TWO_SERVICES = """
    0.10s wire/0 invoke enable 1001
    0.11s wire/1 invoke enable 1001 service=desktop
    0.12s wire/0 ok enable 1001 new
    0.13s wire/1 ok enable 1001 {second}
"""


def test_one_new_and_one_already_is_valid(history):
    told = history(TWO_SERVICES.format(second="already") + "9s auditor ok read-all 1001")
    assert registered_at_most_once(told) == Valid()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TWO_SERVICES.format(second="new"), "1001 was registered as new twice"),
        # Answers that nobody heard count as well.
        (
            """
            0.10s wire/0 invoke enable 1001
            0.20s wire/0 info enable 1001 server=new fault=DropAnswer
            0.30s wire/1 invoke enable 1001
            0.40s wire/1 info enable 1001 server=new fault=DropAnswer
            0.50s wire/2 invoke enable 1001
            0.60s wire/2 ok enable 1001 500 server=new fault=Garbage
            """,
            "1001 was registered as new 3 times",
        ),
        # Nor does a restart in between excuse it.
        (
            """
            0.10s wire/0 invoke enable 1001
            0.20s wire/0 ok enable 1001 new
            0.30s world ok kill dtms
            0.40s world ok start dtms
            0.50s wire/0 invoke enable 1001
            0.60s wire/0 ok enable 1001 new
            """,
            "1001 was registered as new twice",
        ),
        # A close that failed, or that was over before, is none.
        (
            """
            0.01s bot/0 invoke close 1001
            0.02s bot/0 ok close 1001
            0.10s wire/0 invoke enable 1001
            0.20s wire/0 ok enable 1001 new
            0.30s bot/0 invoke close 1001
            0.40s bot/0 fail close 1001
            0.50s wire/0 invoke enable 1001
            0.60s wire/0 ok enable 1001 new
            """,
            "1001 was registered as new twice",
        ),
        # A request that was delivered twice, and registered twice.
        (
            """
            0.1s wire/0 invoke enable 1001
            0.2s wire/0 ok enable 1001 new
            0.3s network/0 invoke enable 1001
            0.4s network/0 ok enable 1001 new
            """,
            "1001 was registered as new twice",
        ),
        (
            "9s auditor ok read-all 1001:absent\n 9s auditor ok universal 1001 1001",
            "1001 stands 2 times in the Universal Manager",
        ),
        (
            "9s auditor ok read-all 1001\n 9s auditor ok universal 1001",
            "1001 is held by DTMS and by the Universal Manager",
        ),
    ],
)
def test_twice_is_invalid(history, text, why):
    verdict = registered_at_most_once(history(text))
    assert (verdict.why, verdict.tickets) == (why, (1001,))


@pytest.mark.parametrize(
    "close",
    [
        "0.3s bot/0 invoke close 1001\n 0.4s bot/0 ok close 1001",
        "0.3s bot/0 invoke close 1001\n 0.4s bot/0 info close 1001",
        "0.3s bot/0 invoke close 1001",
        "0.3s wire/7 invoke close 1001\n 0.4s wire/7 ok close 1001 200",
    ],
)
def test_a_trade_that_may_have_been_closed_in_between_is_not_judged(history, close):
    told = history(
        f"""
        0.1s wire/0 invoke enable 1001
        0.2s wire/0 ok enable 1001 new
        {close}
        0.5s wire/0 invoke enable 1001
        0.6s wire/0 ok enable 1001 new
        """
    )
    assert registered_at_most_once(told) == Valid()


def test_a_trade_that_closed_at_dtms_may_be_the_universal_managers(history):
    told = history("9s auditor ok read-all 1001:CLOSED\n 9s auditor ok universal 1001")
    assert registered_at_most_once(told) == Valid()


def test_an_answer_made_up_by_a_fault_registers_nothing(history):
    told = history(TWO_SERVICES.format(second="new fault=AnswerFor"))
    assert registered_at_most_once(told) == Valid()


def test_the_same_answer_for_other_tickets_is_valid(history):
    told = history(
        """
        0.1s wire/0 invoke enable 1001
        0.2s wire/0 ok enable 1001 new
        0.3s wire/0 invoke enable 1002
        0.4s wire/0 ok enable 1002 new
        """
    )
    assert registered_at_most_once(told) == Valid()


@pytest.mark.parametrize("text", ["", "9s auditor ok read-all 1001:absent"])
def test_nothing_registered_is_unknown(history, text):
    why = "no registration was answered, and none was found at the end"
    assert registered_at_most_once(history(text)) == Unknown(why)
