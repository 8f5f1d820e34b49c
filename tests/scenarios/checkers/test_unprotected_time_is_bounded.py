from __future__ import annotations

import pytest

from scenarios.checkers.unprotected_time_is_bounded import unprotected_time_is_bounded
from scenarios.verdict import Unknown, Valid

EXECUTED = "1s broker ok execute 1001\n 1s bot/0 invoke register 1001\n"
ABSENT = "9s auditor ok read-all 1001:absent"
HEALED = "2s world ok phase healed\n"
SENT = "6s wire/0 invoke enable 1001\n"


@pytest.mark.parametrize(
    "rest",
    [
        # Protected before faults healed, or within the bound after.
        "1.1s bot/0 ok register 1001\n" + HEALED,
        HEALED + "7s bot/0 ok register 1001",
        # What the server answered counts, though nobody heard it.
        HEALED + SENT + "6.1s wire/0 info enable 1001 server=new\n 60s bot/0 ok register 1001",
        HEALED + "6s wire/0 invoke lookup 1001\n 7s wire/0 ok lookup 1001 held\n"
        "60s bot/0 ok register 1001",
        # So does what it may have done, if the trade is there at the end.
        HEALED + SENT + "9s wire/0 info enable 1001\n 60s auditor ok read-all 1001",
        HEALED + SENT + "9s wire/0 ok enable 1001 500\n 60s auditor ok read-all 1001",
        HEALED + "6s auditor ok read-all 1001",
        # Recovered from the broker.
        "1s world ok start broker\n" + HEALED + "3s world ok start dtms\n 6s world ok ready dtms\n"
        "60s auditor ok read-all 1001",
    ],
)
def test_protected_in_time_is_valid(history, rest):
    assert unprotected_time_is_bounded(history(EXECUTED + rest)) == Valid()


def test_time_counts_from_execution_if_that_is_later(history):
    told = history(
        HEALED
        + """
        50s broker ok execute 1001
        50s bot/0 invoke register 1001
        54s bot/0 ok register 1001
        """
    )
    assert unprotected_time_is_bounded(told) == Valid()


LATE = "1001 was unprotected for {} s, 5 s are allowed"
NEVER = "1001 was never protected"


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        (HEALED + "7.001s bot/0 ok register 1001", LATE.format("5.001")),
        (
            HEALED + "8s wire/0 invoke enable 1001\n 8.1s wire/0 ok enable 1001 new",
            LATE.format("6.000"),
        ),
        # Sent in time, and certainly not done then.
        (
            HEALED + SENT + "6.1s wire/0 fail enable 1001\n 9s auditor ok read-all 1001",
            LATE.format("7.000"),
        ),
        (
            HEALED + SENT + "6.1s wire/0 info enable 1001\n 9s bot/0 ok register 1001\n"
            "9s auditor ok read-all 1001:absent",
            LATE.format("7.000"),
        ),
        # Made up by a fault, or shown closed: no protection.
        (
            HEALED + SENT + "6.1s wire/0 ok enable 1001 new fault=AnswerFor\n"
            "9s bot/0 ok register 1001",
            LATE.format("7.000"),
        ),
        (HEALED + ABSENT, NEVER),
        (HEALED + "3s bot/0 info register 1001 ! pending\n" + ABSENT, NEVER),
        # Given up is not refused.
        (HEALED + "3s bot/0 fail register 1001\n" + ABSENT, NEVER),
        # Said to be refused, and the wire shows no refusal.
        (
            SENT
            + "6.1s wire/0 ok enable 1001 503\n"
            + HEALED
            + "7s bot/0 fail register 1001 reason=rejected",
            NEVER,
        ),
        (
            SENT
            + "6.1s wire/0 ok enable 1001 429\n"
            + HEALED
            + "7s bot/0 fail register 1001 reason=rejected",
            NEVER,
        ),
        # The server's own no to what could be executed: somebody spelt it wrongly, or read it so.
        (
            SENT
            + "6.1s wire/0 ok enable 1001 422\n"
            + HEALED
            + "7s bot/0 fail register 1001 reason=rejected",
            NEVER,
        ),
        # Not there, which is no refusal.
        (
            SENT
            + "6.1s wire/0 info enable 1001\n"
            + "6.2s wire/1 invoke lookup 1001 service=bot\n"
            + "6.3s wire/1 ok lookup 1001 404\n"
            + HEALED
            + "7s bot/0 fail register 1001",
            NEVER,
        ),
        # Refused one service, and the other gave up.
        (
            SENT
            + "6.1s wire/0 ok enable 1001 422 fault=AnswerFor\n"
            + HEALED
            + "7s bot/0 fail register 1001 reason=rejected\n"
            "7s desktop/0 invoke register 1001\n 8s desktop/0 fail register 1001",
            NEVER,
        ),
    ],
)
def test_late_or_never_is_invalid(history, rest, why):
    text = EXECUTED + "\n".join(sorted(rest.splitlines(), key=lambda x: float(x.split("s")[0])))
    verdict = unprotected_time_is_bounded(history(text))
    assert (verdict.why, verdict.tickets) == (why, (1001,))


def test_accepted_is_not_protected(history):
    told = history(
        "1s broker ok execute 1001\n 1s bot/0 invoke register 1001 via=auto\n"
        "1.1s bot/0 ok register 1001\n" + HEALED + ABSENT
    )
    assert unprotected_time_is_bounded(told).why == NEVER


@pytest.mark.parametrize(
    "text",
    [
        # Refused on the wire.
        EXECUTED
        + SENT
        + "6.1s wire/0 ok enable 1001 422 fault=AnswerFor\n 7s bot/0 fail register 1001\n",
        EXECUTED + SENT + "6.1s wire/0 ok enable 1001 409\n 7s bot/0 fail register 1001\n",
        # Refused without a wire to see it.
        EXECUTED + "7s bot/0 fail register 1001 reason=rejected\n",
        # Refused for its own data.
        "1s broker ok execute 1001\n 1s bot/0 invoke register 1001 volume=-1\n"
        "7s bot/0 fail register 1001\n",
        "1s broker ok execute 1001\n 1s bot/0 invoke register 1001 stop_loss=2360\n"
        "7s bot/0 fail register 1001\n",
        # So too where nobody knows: what cannot be was not there to be protected.
        "1s broker ok execute 1001\n 1s bot/0 invoke register 1001 stop_loss=2360\n"
        "7s bot/0 info register 1001\n",
    ],
)
def test_a_trade_that_was_refused_is_excepted(history, text):
    assert unprotected_time_is_bounded(history(text + "9s world ok phase healed")) == Valid()


def test_a_short_position_with_stops_on_its_own_side_is_not_refused_for_its_data(history):
    told = history(
        "1s broker ok execute 1001\n"
        "1s bot/0 invoke register 1001 direction=SELL stop_loss=2360 take_profit=2330\n"
        "7s bot/0 fail register 1001\n" + "9s world ok phase healed\n" + ABSENT
    )
    assert unprotected_time_is_bounded(told).why == NEVER


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no position without a strategy was left open"),
        (
            "1s broker ok execute 1001 strategy_type=breakout",
            "no position without a strategy was left open",
        ),
        (
            EXECUTED + "2s broker ok position-closed 1001",
            "no position without a strategy was left open",
        ),
        (
            EXECUTED,
            "the history does not say when faults were healed, or what the bound is",
        ),
        (EXECUTED + HEALED, "whether 1001 was ever protected was not recorded"),
    ],
)
def test_nothing_to_measure_is_unknown(history, text, why):
    assert unprotected_time_is_bounded(history(text)) == Unknown(why)
