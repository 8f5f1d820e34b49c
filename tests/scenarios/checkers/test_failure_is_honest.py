from __future__ import annotations

import pytest

from scenarios.checkers.failure_is_honest import failure_is_honest
from scenarios.verdict import Unknown, Valid

FAILED = """
    0.1s bot/0  invoke register 1001
    0.2s wire/0 invoke enable 1001
    0.3s wire/0 {answer}
    0.4s bot/0  fail register 1001 reason=rejected
"""
LIE = "1001 was reported as not registered, and is there"


@pytest.mark.parametrize(
    "answer",
    ["ok enable 1001 422", "fail enable 1001", "info enable 1001", "ok enable 1001 500"],
)
def test_reported_as_failed_and_absent_is_valid(history, answer):
    told = history(FAILED.format(answer=answer) + "9s auditor ok read-all 1001:absent")
    assert failure_is_honest(told) == Valid()


@pytest.mark.parametrize(
    "answer",
    [
        "info enable 1001 server=new fault=DropAnswer",
        "info enable 1001 server=already fault=DropAnswer",
        "info enable 1001",
        "ok enable 1001 500",
        "ok enable 1001 500 server=new fault=Garbage",
        "ok enable 1001 new",
    ],
)
def test_reported_as_failed_and_there_is_invalid(history, answer):
    verdict = failure_is_honest(
        history(FAILED.format(answer=answer) + "9s auditor ok read-all 1001")
    )
    assert (verdict.why, verdict.tickets) == (LIE, (1001,))


def test_a_service_that_registered_and_denies_it_lies_whatever_others_report(history):
    told = history(
        FAILED.format(answer="info enable 1001 server=new")
        + """
        0.5s desktop/0 invoke register 1001
        0.6s wire/0 invoke enable 1001 service=desktop
        0.7s wire/0 ok enable 1001 already
        0.8s desktop/0 ok register 1001
        9.0s auditor ok read-all 1001
        """
    )
    assert failure_is_honest(told).why == LIE


def test_without_a_wire_a_single_service_lies_if_the_trade_is_there(history):
    told = history(
        """
        0.1s bot/0 invoke register 1001
        0.4s bot/0 fail register 1001
        9.0s auditor ok read-all 1001
        """
    )
    assert failure_is_honest(told).why == LIE


def test_held_by_the_universal_manager_is_there_too(history):
    told = history(
        """
        0.1s bot/0 invoke register 1001
        0.4s bot/0 fail register 1001
        9.0s auditor ok read-all 1001:absent
        9.0s auditor ok universal 1001
        """
    )
    assert failure_is_honest(told).why == LIE


def test_no_recovery_of_the_server_explains_what_the_universal_manager_holds(history):
    told = history(
        """
        0.1s world ok start broker
        0.2s broker ok execute 1001 strategy_type=breakout
        0.3s bot/0 invoke register 1001
        0.4s bot/0 fail register 1001
        1.0s world ok start dtms
        2.0s world ok ready dtms
        9.0s auditor ok read-all 1001:absent
        9.0s auditor ok universal 1001
        """
    )
    assert failure_is_honest(told).why == LIE


@pytest.mark.parametrize(
    "rest",
    [
        # Somebody else registered it.
        "0.5s desktop/0 invoke register 1001\n 0.6s desktop/0 ok register 1001",
        # Somebody else may have.
        "0.5s desktop/0 invoke register 1001\n 0.6s desktop/0 info register 1001",
        "0.5s wire/1 invoke enable 1001 service=desktop\n 0.6s wire/1 info enable 1001",
        # The same service did later.
        "0.5s bot/1 invoke register 1001\n 0.6s bot/1 ok register 1001",
        # It was closed, and what is read came later.
        "0.5s broker ok position-closed 1001",
    ],
)
def test_a_trade_that_others_may_have_registered_is_not_held_against_the_report(history, rest):
    told = history(
        f"{FAILED.format(answer='fail enable 1001')} {rest}\n 9s auditor ok read-all 1001"
    )
    assert failure_is_honest(told) == Valid()


def test_a_trade_that_recovery_took_over_is_not_held_against_the_report(history):
    told = history(
        "0.0s world ok start broker\n 0.0s broker ok execute 1001\n"
        + FAILED.format(answer="ok enable 1001 422")
        + "1s world ok start dtms\n 2s world ok ready dtms\n 9s auditor ok read-all 1001"
    )
    assert failure_is_honest(told) == Valid()


def test_both_services_lie_if_one_of_them_must_have_done_it(history):
    told = history(
        FAILED.format(answer="info enable 1001")
        + """
        0.5s desktop/0 invoke register 1001
        0.6s wire/1 invoke enable 1001 service=desktop
        0.7s wire/1 info enable 1001
        0.8s desktop/0 fail register 1001
        9.0s auditor ok read-all 1001
        """
    )
    assert failure_is_honest(told).why == LIE + " (and 1 more)"


CONFLICT = """
    0.1s bot/0 invoke register 1001 volume=0.2
    0.4s bot/0 fail register 1001 reason=conflict
"""


def test_a_conflict_with_another_payload_is_valid(history):
    assert failure_is_honest(history(CONFLICT + "9s auditor ok read-all 1001")) == Valid()


def test_a_conflict_with_the_payload_that_is_there_is_invalid(history):
    told = history(CONFLICT + "9s auditor ok read-all 1001:volume=0.2")
    why = "1001 was reported as a conflict, and what is there is what was given"
    assert failure_is_honest(told).why == why


def test_no_failure_among_the_reports_is_valid(history):
    told = history("0.1s bot/0 invoke register 1001\n 0.2s bot/0 ok register 1001")
    assert failure_is_honest(told) == Valid()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no registration came to its end"),
        ("0.1s bot/0 invoke register 1001", "no registration came to its end"),
        (CONFLICT, "what the server holds at the end was not read"),
        (
            CONFLICT + "9s auditor ok read-all 1002",
            "1001 was reported as not registered and never read back",
        ),
    ],
)
def test_without_reports_or_a_reading_it_is_unknown(history, text, why):
    assert failure_is_honest(history(text)) == Unknown(why)
