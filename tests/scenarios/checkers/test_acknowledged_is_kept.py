from __future__ import annotations

import pytest

from scenarios.checkers.acknowledged_is_kept import acknowledged_is_kept
from scenarios.verdict import Unknown, Valid

ACKNOWLEDGED = """
    0.0s broker  ok     execute 1001
    0.1s bot/0   invoke register 1001
    0.2s bot/0   ok     register 1001
"""


@pytest.mark.parametrize(
    "rest",
    [
        "9s auditor ok read-all 1001",
        # Closed at the broker, or by somebody: then closed or gone is as it should be.
        "5s broker ok position-closed 1001\n 9s auditor ok read-all 1001:CLOSED",
        "5s broker ok position-closed 1001\n 9s auditor ok read-all 1001:absent",
        "5s bot/0 invoke close 1001\n 6s bot/0 info close 1001\n9s auditor ok read-all 1001:absent",
        # Managed by somebody else.
        "9s auditor ok read-all 1001:absent\n 9s auditor ok universal 1001",
        "9s auditor ok read-all 1001:absent\n"
        "9s auditor ok who-manages 1001=intelligent_exit_manager",
        # Only the last reading that succeeded counts.
        "8s auditor/0 invoke read-all\n 8.1s auditor/0 ok read-all 1001\n"
        "9s auditor/0 invoke read-all\n 9.1s auditor/0 info read-all 1001:absent",
        "8s auditor ok read-all 1001:absent\n 9s auditor ok read-all 1001",
    ],
)
def test_kept_closed_or_managed_elsewhere_is_valid(history, rest):
    assert acknowledged_is_kept(history(ACKNOWLEDGED + rest)) == Valid()


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        ("9s auditor ok read-all 1001:absent", "1001 was acknowledged and is gone"),
        (
            "9s auditor ok read-all 1001:CLOSED",
            "1001 was acknowledged and is closed, though nobody closed it",
        ),
        (
            "9s auditor ok read-all 1001:idle",
            "1001 was acknowledged and is there without protection",
        ),
        # A close that certainly did not happen excuses nothing.
        (
            "5s bot/0 invoke close 1001\n 6s bot/0 fail close 1001\n"
            "9s auditor ok read-all 1001:absent",
            "1001 was acknowledged and is gone",
        ),
        # Nor does somebody else's close, nor being nobody's in the registry.
        (
            "5s broker ok position-closed 1002\n 9s auditor ok read-all 1001:absent\n"
            "9s auditor ok who-manages 1001=",
            "1001 was acknowledged and is gone",
        ),
    ],
)
def test_lost_closed_or_unprotected_is_invalid(history, rest, why):
    verdict = acknowledged_is_kept(history(ACKNOWLEDGED + rest))
    assert (verdict.why, verdict.tickets) == (why, (1001,))
    assert verdict.evidence[:2] == (2, 3)


def test_every_lost_trade_counts(history):
    told = history(
        """
        0.1s bot/0 invoke register 1001
        0.2s bot/0 ok     register 1001
        0.3s bot/0 invoke register 1002
        0.4s bot/0 ok     register 1002
        9.0s auditor ok read-all 1001:absent 1002:absent
        """
    )
    verdict = acknowledged_is_kept(told)
    assert verdict.why == "1001 was acknowledged and is gone (and 1 more)"
    assert verdict.tickets == (1001, 1002)


ACCEPTED = """
    0.1s bot/0 invoke register 1001 via=auto
    0.2s bot/0 ok     register 1001
    8.0s bot/0 invoke audit
"""


@pytest.mark.parametrize(
    "audit",
    [
        '{"pending": [1001], "outcomes": {}}',
        '{"pending": [], "outcomes": {"1001": "PENDING"}}',
        '{"pending": [], "outcomes": {"1001": "REJECTED"}}',
    ],
)
def test_accepted_is_kept_while_pending_or_ended_otherwise(history, audit):
    told = history(f"{ACCEPTED} 8.1s bot/0 ok audit {audit}\n 9s auditor ok read-all 1001:absent")
    assert acknowledged_is_kept(told) == Valid()


def test_accepted_and_forgotten_is_invalid(history):
    audit = '{"pending": [], "outcomes": {}}'
    told = history(f"{ACCEPTED} 8.1s bot/0 ok audit {audit}\n 9s auditor ok read-all 1001:absent")
    assert acknowledged_is_kept(told).why == "1001 was accepted and is gone"


@pytest.mark.parametrize(
    "call",
    [
        ACCEPTED,
        "1s bot/1 invoke register 1001\n 2s bot/1 info register 1001\n 8s bot/0 invoke audit\n",
    ],
)
@pytest.mark.parametrize(("held", "valid"), [("1001", True), ("1001:absent", False)])
def test_said_to_be_registered_when_asked_later_is_acknowledged(history, call, held, valid):
    audit = '{"pending": [], "outcomes": {"1001": "REGISTERED"}}'
    told = history(f"{call} 8.1s bot/0 ok audit {audit}\n 9s auditor ok read-all {held}")
    verdict = acknowledged_is_kept(told)
    assert verdict == Valid() if valid else verdict.why == "1001 was acknowledged and is gone"


def test_an_outcome_does_not_excuse_what_was_acknowledged(history):
    told = history(
        ACKNOWLEDGED
        + """
        8.0s bot/0 invoke audit
        8.1s bot/0 ok audit {"pending": [1001], "outcomes": {"1001": "PENDING"}}
        9.0s auditor ok read-all 1001:absent
        """
    )
    assert acknowledged_is_kept(told).why == "1001 was acknowledged and is gone"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing was reported as registered"),
        (
            "1s bot/0 invoke register 1001\n 2s bot/0 info register 1001",
            "nothing was reported as registered",
        ),
        (ACKNOWLEDGED, "what the server holds at the end was not read"),
        (
            ACKNOWLEDGED + "9s auditor/0 invoke read-all\n 9s auditor/0 info read-all",
            "what the server holds at the end was not read",
        ),
        (
            ACKNOWLEDGED + "9s auditor ok read-all 1002",
            "1001 was acknowledged, and what became of it was not read",
        ),
        (
            ACKNOWLEDGED + '9s auditor ok read-all {"1001": "garbage"}',
            "1001 was acknowledged, and what became of it was not read",
        ),
        (
            ACKNOWLEDGED.replace("execute 1001", "execute 1001 strategy_type=breakout")
            + "9s auditor ok read-all 1001:absent",
            "1001 was acknowledged, and the Universal Manager was not asked for it",
        ),
    ],
)
def test_what_was_not_read_is_unknown(history, text, why):
    assert acknowledged_is_kept(history(text)) == Unknown(why)
