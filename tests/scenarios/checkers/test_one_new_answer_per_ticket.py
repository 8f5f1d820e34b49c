from __future__ import annotations

import pytest

from scenarios.checkers.one_new_answer_per_ticket import one_new_answer_per_ticket
from scenarios.verdict import Unknown, Valid

HELD = "9s auditor ok read-all 1001"
ALREADY = """
    0.5s wire/5 invoke enable 1001
    0.6s wire/5 ok enable 1001 already
"""


def test_one_new_answer_and_others_already_is_valid(history):
    told = history("0.1s wire/0 invoke enable 1001\n 0.2s wire/0 ok enable 1001 new" + ALREADY)
    assert one_new_answer_per_ticket(told) == Valid()


@pytest.mark.parametrize(
    "before",
    [
        # The new answer was lost on the way, and seen by the proxy.
        "0.1s wire/0 invoke enable 1001\n 0.2s wire/0 info enable 1001 server=new",
        # Nobody knows what the server did: killed after commit, cut off, still open.
        "0.1s wire/0 invoke enable 1001\n 0.2s wire/0 info enable 1001",
        "0.1s wire/0 invoke enable 1001",
        "0.1s wire/0 invoke enable 1001\n 0.2s wire/0 ok enable 1001 500",
        # Delivered twice: the proxy shows only one of the two answers.
        "0.1s wire/0 invoke enable 1001\n0.2s wire/0 ok enable 1001 already fault=DuplicateRequest",
        "0.1s wire/0 invoke enable 1001\n"
        "0.2s wire/0 ok enable 1001 already fault=duplicate-request+latency",
        "0.1s network/0 invoke enable 1001\n 0.2s network/0 info enable 1001",
        "0.1s network/0 invoke enable 1001\n 0.2s network/0 ok enable 1001 new",
        # In flight while the other was answered.
        "0.1s wire/0 invoke enable 1001 service=desktop\n 0.7s wire/1 invoke enable 1001",
    ],
)
def test_a_new_answer_nobody_saw_is_valid(history, before):
    assert one_new_answer_per_ticket(history(before + ALREADY + HELD)) == Valid()


def test_a_position_that_recovery_took_over_is_valid(history):
    told = history(
        """
        0.1s world ok start broker
        0.2s world ok start dtms
        0.3s broker ok execute 1001
        0.4s world ok ready dtms
        """
        + ALREADY
        + HELD
    )
    assert one_new_answer_per_ticket(told) == Valid()


NEVER_NEW = "1001 was called registered already, and never new"


@pytest.mark.parametrize(
    "before",
    [
        "",
        # Refused, dropped before the server, or answered in its stead: none of these registers.
        "0.1s wire/0 invoke enable 1001\n 0.2s wire/0 fail enable 1001",
        "0.1s wire/0 invoke enable 1001\n 0.2s wire/0 ok enable 1001 422",
        "0.1s wire/0 invoke enable 1001\n 0.2s wire/0 info enable 1001 fault=DropRequest",
        "0.1s wire/0 invoke enable 1001\n 0.2s wire/0 ok enable 1001 500 fault=AnswerFor",
        # What happened to another ticket explains nothing.
        "0.1s wire/0 invoke enable 1002\n 0.2s wire/0 ok enable 1002 500",
        # A recovery that was over before the position was opened.
        "0.1s world ok start broker\n 0.1s world ok start dtms\n 0.2s world ok ready dtms\n"
        "0.3s broker ok execute 1001",
        # A recovery without a broker to ask.
        "0.1s broker ok execute 1001\n 0.2s world ok start dtms\n 0.3s world ok ready dtms",
    ],
)
def test_already_without_ever_new_is_invalid(history, before):
    verdict = one_new_answer_per_ticket(history(f"{before}\n {ALREADY} {HELD}"))
    assert (verdict.why, verdict.tickets) == (NEVER_NEW, (1001,))


def test_what_comes_after_the_first_already_does_not_explain_it(history):
    told = history(ALREADY + "0.7s wire/7 invoke enable 1001\n 0.8s wire/7 info enable 1001")
    assert one_new_answer_per_ticket(told).why == NEVER_NEW


def test_two_new_answers_are_invalid(history):
    told = history(
        """
        0.1s wire/0 invoke enable 1001
        0.1s wire/1 invoke enable 1001 service=desktop
        0.2s wire/0 ok enable 1001 new
        0.2s wire/1 info enable 1001 server=new
        """
    )
    assert one_new_answer_per_ticket(told).why == "2 answers called 1001 new"


def test_an_answer_that_does_not_say_is_invalid(history):
    told = history(
        "0.1s wire/0 invoke enable 1001\n"
        '0.2s wire/0 ok enable {"ticket": 1001, "status": 200, "body": {"success": true}}'
    )
    verdict = one_new_answer_per_ticket(told)
    assert verdict.why == "an answer about 1001 does not say whether it is new"


@pytest.mark.parametrize(
    "text",
    [
        "",
        HELD,
        "0.1s wire/0 invoke enable 1001\n 0.2s wire/0 ok enable 1001 422",
        "0.1s wire/0 invoke enable 1001\n 0.2s wire/0 info enable 1001",
        "0.1s wire/0 invoke enable\n 0.2s wire/0 ok enable new",
    ],
)
def test_without_an_answered_registration_it_is_unknown(history, text):
    told = history(text)
    assert one_new_answer_per_ticket(told) == Unknown("the server answered no registration")
