from __future__ import annotations

import pytest

from scenarios.checkers.managed_by_exactly_one import managed_by_exactly_one
from scenarios.verdict import Unknown, Valid

DTMS = "who-manages 1001=dtms_manager"
UNIVERSAL = "who-manages 1001=universal_sl_tp_manager"
OTHER = "who-manages 1001=intelligent_exit_manager"


def told(history, strategy, held, registry, universal):
    execute = "execute 1001 strategy_type=breakout" if strategy else "execute 1001"
    return history(
        f"""
        0.1s broker ok {execute}
        9.0s auditor ok read-all {held}
        9.0s auditor ok {registry}
        9.0s auditor ok universal {universal}
        """
    )


@pytest.mark.parametrize(
    ("strategy", "held", "registry", "universal"),
    [
        (False, "1001", DTMS, ""),
        (True, "1001:absent", UNIVERSAL, "1001"),
        (True, "1001", DTMS, "1002"),
        (True, "1001:CLOSED", UNIVERSAL, "1001"),
        (False, "1001:absent", OTHER, ""),
    ],
)
def test_one_manager_that_the_registry_names_is_valid(history, strategy, held, registry, universal):
    assert managed_by_exactly_one(told(history, strategy, held, registry, universal)) == Valid()


@pytest.mark.parametrize(
    ("strategy", "held", "registry", "universal", "why"),
    [
        (False, "1001:absent", "who-manages 1001=", "", "1001 is managed by nobody"),
        (False, "1001:CLOSED", DTMS, "", "1001 is managed by nobody"),
        (False, "1001:idle", DTMS, "", "1001 is managed by nobody"),
        (True, "1001:absent", UNIVERSAL, "1002", "1001 is managed by nobody"),
        (
            True,
            "1001",
            UNIVERSAL,
            "1001",
            "1001 is managed by dtms_manager and universal_sl_tp_manager",
        ),
        (
            False,
            "1001",
            OTHER,
            "",
            "1001 is managed by dtms_manager and intelligent_exit_manager",
        ),
        (
            False,
            "1001:absent",
            UNIVERSAL,
            "1001",
            "1001 has no strategy and is managed by universal_sl_tp_manager",
        ),
        (
            False,
            "1001",
            "who-manages 1001=",
            "",
            "1001 is managed by dtms_manager; the registry says nobody",
        ),
        (
            True,
            "1001:absent",
            DTMS,
            "1001",
            "1001 is managed by universal_sl_tp_manager; the registry says dtms_manager",
        ),
    ],
)
def test_none_two_or_the_wrong_one_is_invalid(history, strategy, held, registry, universal, why):
    verdict = managed_by_exactly_one(told(history, strategy, held, registry, universal))
    assert (verdict.why, verdict.tickets) == (why, (1001,))


def test_a_closed_position_needs_no_manager(history):
    text = """
        0.1s broker ok execute 1001
        0.1s broker ok execute 1002
        0.5s broker ok position-closed 1001
        9.0s auditor ok read-all 1001:CLOSED 1002
        9.0s auditor ok who-manages 1001= 1002=dtms_manager
        9.0s auditor ok universal
    """
    assert managed_by_exactly_one(history(text)) == Valid()


REFUSED = """
    0.1s broker ok execute 1001
    0.1s bot/0 invoke register 1001
    0.2s wire/0 invoke enable 1001 service=bot
    0.3s wire/0 ok enable 1001 422 fault=AnswerFor
    {answer}
    9.0s auditor ok read-all 1001:absent
    9.0s auditor ok who-manages 1001={named}
    9.0s auditor ok universal
"""


def test_a_trade_that_was_refused_and_told_so_may_have_no_manager(history):
    text = REFUSED.format(answer="0.4s bot/0 fail register 1001", named="")
    assert managed_by_exactly_one(history(text)) == Valid()


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        ("0.4s bot/0 info register 1001", ""),
        ("0.4s bot/0 ok register 1001", ""),
        ("0.4s bot/0 fail register 1001", "dtms_manager"),
    ],
)
def test_a_refusal_that_was_not_told_or_a_registry_that_lies_excuses_nobody(history, answer, named):
    text = REFUSED.format(answer=answer, named=named)
    assert managed_by_exactly_one(history(text)).why == "1001 is managed by nobody"


NOT_READ = "DTMS, the registry or the Universal Manager was not read at the end"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no executed position was left open"),
        (
            "1s broker ok execute 1001\n 2s broker ok position-closed 1001",
            "no executed position was left open",
        ),
        ("1s broker ok execute 1001\n 9s auditor ok read-all 1001", NOT_READ),
        (
            f"1s broker ok execute 1001\n 9s auditor ok read-all 1001\n 9s auditor ok {DTMS}",
            NOT_READ,
        ),
        (
            "1s broker ok execute 1001\n 9s auditor ok read-all 1001\n"
            "9s auditor ok who-manages 1002=dtms_manager\n 9s auditor ok universal",
            "who manages 1001 was not read",
        ),
    ],
)
def test_what_was_not_read_is_unknown(history, text, why):
    assert managed_by_exactly_one(history(text)) == Unknown(why)


WITH_STRATEGY = """
    0.1s broker ok execute 1001 strategy_type=breakout
    0.1s bot/0 invoke register 1001
    {before}
    0.4s wire/0 invoke enable 1001 link=bot->dtms service=bot
    0.5s wire/0 ok enable 1001 new
    0.5s bot/0 ok register 1001
    9.0s auditor ok read-all 1001
    9.0s auditor ok who-manages 1001=dtms_manager
    9.0s auditor ok universal
"""
OFFERED = """0.2s wire/1 invoke other {"ticket": 1001, "link": "bot->main-api", "payload": {"a": 1}}
    0.3s wire/1 """
ACCEPTED = (
    'ok other {"ticket": 1001, "link": "bot->main-api", "status": 200, "body": {"accepted": true}}'
)
TAKEN = "bot took 1001 to DTMS, and the Universal Manager had taken it"
NOT_OFFERED = "bot took 1001 to DTMS, and had not offered it to the Universal Manager"


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (OFFERED + ACCEPTED, TAKEN),
        ("", NOT_OFFERED),
        # Another service's offer is not its own.
        ((OFFERED + ACCEPTED).replace("bot", "desktop"), NOT_OFFERED),
    ],
)
def test_nobody_takes_to_dtms_what_the_manager_has_or_was_never_offered(history, before, why):
    verdict = managed_by_exactly_one(history(WITH_STRATEGY.format(before=before)))
    assert (verdict.why, verdict.tickets) == (why, (1001,))


@pytest.mark.parametrize(
    "before",
    [
        # Refused, failed, or without an answer: it falls back.
        OFFERED + ACCEPTED.replace("true", "false").replace("200", "409"),
        OFFERED + ACCEPTED.replace("200", "500"),
        OFFERED + 'fail other {"ticket": 1001, "link": "bot->main-api"}',
        OFFERED + 'info other {"ticket": 1001, "link": "bot->main-api"}',
        # Whoever died does not know what it did before.
        "0.2s world ok kill bot\n 0.2s world ok exited bot\n 0.3s world ok start bot",
        # What is refused at once leaves no trace.
        '0.2s nemesis ok inflict {"fault": "refuse", "link": "bot->main-api"}',
    ],
)
def test_falling_back_takes_an_offer_that_was_not_accepted(history, before):
    assert managed_by_exactly_one(history(WITH_STRATEGY.format(before=before))) == Valid()
