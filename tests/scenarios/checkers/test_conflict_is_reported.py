from __future__ import annotations

import pytest

from scenarios.checkers.conflict_is_reported import conflict_is_reported
from scenarios.verdict import Unknown, Valid

DISPUTE = """
    0.10s bot/0     invoke register 1001
    0.10s desktop/0 invoke register 1001 volume=0.2
    0.11s wire/0    invoke enable 1001
    0.11s wire/1    invoke enable 1001 service=desktop volume=0.2
    0.12s wire/0    ok enable 1001 new
    0.12s wire/1    ok enable 1001 409
    0.20s bot/0     ok register 1001
    0.30s desktop/0 {said}
    8.00s desktop/0 {audit}
    9.00s auditor   ok read-all 1001
"""
CONFLICT = "fail register 1001 reason=conflict"
ALERT = (
    'ok audit {"alerts": [{"level": "ERROR", "event": "registration_conflict", "ticket": 1001}],'
    ' "outcomes": {"1001": "CONFLICT"}}'
)
NO_ALERT = 'ok audit {"alerts": [], "outcomes": {"1001": "CONFLICT"}}'


def dispute(history, said, audit=ALERT, **header):
    # The audit needs an invocation of its own.
    text = DISPUTE.format(said=said, audit=audit)
    return history(
        text.replace("8.00s", "7.0s desktop/1 invoke audit\n 8.00s", 1).replace(
            "8.00s desktop/0", "8.00s desktop/1"
        ),
        **header,
    )


def test_one_is_kept_and_the_other_says_conflict_and_alerts(history):
    assert conflict_is_reported(dispute(history, CONFLICT)) == Valid()


@pytest.mark.parametrize(
    ("said", "audit", "what"),
    [
        ("ok register 1001", ALERT, "and reported it as registered"),
        ("fail register 1001 reason=rejected", ALERT, "and reported rejected instead"),
        ("fail register 1001", ALERT, "and reported a failure instead"),
        ("info register 1001 ! pending", "ok audit {}", "and reported nothing definite"),
        (CONFLICT, NO_ALERT, "and raised no alert"),
        (
            CONFLICT,
            'ok audit {"alerts": [{"level": "ERROR", "ticket": 1002}]}',
            "and raised no alert",
        ),
    ],
)
def test_a_conflict_that_is_told_otherwise_or_to_nobody_is_invalid(history, said, audit, what):
    verdict = conflict_is_reported(dispute(history, said, audit))
    assert verdict.why == f"desktop was told of a conflict about 1001 {what}"
    assert verdict.tickets == (1001,)


def test_a_call_that_ended_unknown_may_become_a_conflict_later(history):
    assert conflict_is_reported(dispute(history, "info register 1001 ! pending")) == Valid()


def test_a_helper_can_say_no_more_than_that_it_failed(history):
    told = dispute(history, "fail register 1001", NO_ALERT, level="helper")
    assert conflict_is_reported(told) == Valid()


def test_a_helper_that_calls_it_registered_is_invalid(history):
    told = dispute(history, "ok register 1001", level="helper")
    why = "desktop was told of a conflict about 1001 and reported it as registered"
    assert conflict_is_reported(told).why == why


def test_a_409_is_a_dispute_even_where_everybody_gave_the_same(history):
    told = history(
        """
        0.1s bot/0 invoke register 1001
        0.2s wire/0 invoke enable 1001
        0.3s wire/0 ok enable 1001 409
        0.4s bot/0 ok register 1001
        9.0s auditor ok read-all 1001
        """
    )
    why = "bot was told of a conflict about 1001 and reported it as registered"
    assert conflict_is_reported(told).why == why


def test_another_refusal_is_no_dispute(history):
    told = history(
        """
        0.1s bot/0 invoke register 1001
        0.2s wire/0 invoke enable 1001
        0.3s wire/0 ok enable 1001 422
        0.4s bot/0 fail register 1001 reason=rejected
        9.0s auditor ok read-all 1001:absent
        """
    )
    assert conflict_is_reported(told) == Unknown("nobody disagreed about a trade")


WITHOUT_409 = """
    0.1s bot/0     invoke register 1001 {more}
    0.1s desktop/0 invoke register 1001 volume=0.2 {more}
    0.2s bot/0     ok register 1001
    0.3s desktop/0 ok register 1001
"""


def test_other_terms_than_are_stored_are_a_conflict_without_a_409(history):
    told = history(WITHOUT_409.format(more="") + "9s auditor ok read-all 1001")
    why = "desktop gave other terms than are stored for 1001 and reported it as registered"
    assert conflict_is_reported(told).why == why


def test_accepted_and_never_said_to_conflict_is_invalid(history):
    told = history(
        WITHOUT_409.format(more="via=auto")
        + """
        8s desktop/0 invoke audit
        8s desktop/0 ok audit {"outcomes": {"1001": "REGISTERED"}, "alerts": []}
        9s auditor ok read-all 1001
        """
    )
    why = "desktop gave other terms than are stored for 1001 and never said so"
    assert conflict_is_reported(told).why == why


def test_terms_that_nobody_sent_are_invalid(history):
    told = history(
        WITHOUT_409.format(more="").replace("ok register", "fail register")
        + "9s auditor ok read-all 1001:volume=0.15"
    )
    assert "1001 is stored with terms that nobody sent" in conflict_is_reported(told).why


def test_the_brokers_terms_win_at_a_recovery(history):
    told = history(
        """
        0.00s world ok start broker
        0.00s broker ok execute 1001 volume=0.2
        0.10s bot/0 invoke register 1001
        0.20s bot/0 ok register 1001
        1.00s desktop/0 invoke register 1001 volume=0.2
        1.10s desktop/0 ok register 1001
        2.00s world ok start dtms
        3.00s world ok ready dtms
        9.00s auditor ok read-all 1001:volume=0.2
        """
    )
    assert conflict_is_reported(told) == Valid()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nobody disagreed about a trade"),
        (
            "1s bot/0 invoke register 1001\n 1s desktop/0 invoke register 1001\n"
            "2s bot/0 ok register 1001\n 2s desktop/0 ok register 1001\n"
            "9s auditor ok read-all 1001",
            "nobody disagreed about a trade",
        ),
        (
            "1s bot/0 invoke register 1001\n 1s desktop/0 invoke register 1001 volume=0.2\n"
            "2s bot/0 ok register 1001\n 2s desktop/0 info register 1001 ! process died\n"
            "9s auditor ok read-all 1001",
            "desktop never said what became of 1001",
        ),
        (
            WITHOUT_409.format(more="via=auto") + "9s auditor ok read-all 1001",
            "desktop was not asked what became of 1001",
        ),
    ],
)
def test_no_dispute_or_no_word_is_unknown(history, text, why):
    assert conflict_is_reported(history(text)) == Unknown(why)
