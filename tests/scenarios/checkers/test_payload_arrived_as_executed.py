from __future__ import annotations

import pytest

from scenarios.checkers.payload_arrived_as_executed import payload_arrived_as_executed
from scenarios.verdict import Unknown, Valid


@pytest.mark.parametrize(
    ("executed", "held"),
    [
        ("1001", "1001"),
        ("1001 entry=2350", "1001"),
        ("1001 volume=0.3", "1001:volume=0.30000000000000004"),
        ("1001 stop_loss=null", "1001:stop_loss=null"),
        ("1001", "1001:CLOSED"),
    ],
)
def test_the_same_terms_are_valid(history, executed, held):
    told = history(f"0.1s broker ok execute {executed}\n 9s auditor ok read-all {held}")
    assert payload_arrived_as_executed(told) == Valid()


@pytest.mark.parametrize(
    ("held", "difference"),
    [
        ("volume=0.2", "volume 0.1 and 0.2"),
        ("symbol=XAUUSDc", "symbol XAUUSD and XAUUSDc"),
        ("direction=SELL", "direction BUY and SELL"),
        ("entry_price=2350.00001", "entry 2350 and 2350.00001"),
        ("stop_loss=null", "stop_loss 2340 and None"),
        ("stop_loss=0", "stop_loss 2340 and 0"),
        ("take_profit=2340.0", "take_profit 2370 and 2340"),
    ],
)
def test_other_terms_are_invalid(history, held, difference):
    told = history(f"0.1s broker ok execute 1001\n 9s auditor ok read-all 1001:{held}")
    verdict = payload_arrived_as_executed(told)
    why = f"1001 was executed and registered with different terms: {difference}"
    assert (verdict.why, verdict.evidence, verdict.tickets) == (why, (1, 2), (1001,))


@pytest.mark.parametrize("held", ["volume=null", 'volume="0.1"', "symbol=7", "entry_price=true"])
def test_missing_terms_are_invalid(history, held):
    told = history(f"0.1s broker ok execute 1001\n 9s auditor ok read-all 1001:{held}")
    assert payload_arrived_as_executed(told).why == "1001 is there without its terms"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "what the server holds at the end was not read"),
        ("9s auditor ok read-all 1001", "no executed trade was found at the server"),
        (
            "1s broker ok execute 1001\n 9s auditor ok read-all 1001:absent",
            "no executed trade was found at the server",
        ),
        (
            "1s broker ok execute 1001 volume=null\n 9s auditor ok read-all 1001",
            "on what terms 1001 was executed is not recorded",
        ),
    ],
)
def test_nothing_to_compare_is_unknown(history, text, why):
    assert payload_arrived_as_executed(history(text)) == Unknown(why)


CHANGED = """
    0.1s world ok start broker
    0.1s world ok start dtms
    0.2s world ok ready dtms
    0.5s broker ok execute 1001
    {before}
    2.0s broker ok execute 1001 volume=3
    {after}
    9.0s auditor ok read-all 1001
"""


@pytest.mark.parametrize(
    "restart",
    [
        {"before": "", "after": ""},
        {"before": "1s world ok start dtms\n 1.1s world ok ready dtms", "after": ""},
        {"before": "1s world ok start dtms", "after": "2.1s world ok ready dtms"},
    ],
)
def test_a_change_at_the_broker_since_the_last_recovery_may_be_unknown(history, restart):
    assert payload_arrived_as_executed(history(CHANGED.format(**restart))) == Valid()


def test_a_recovery_must_take_a_change_over(history):
    recovery = "3s world ok start dtms\n 3.1s world ok ready dtms"
    verdict = payload_arrived_as_executed(history(CHANGED.format(before="", after=recovery)))
    assert verdict.tickets == (1001,)


def test_terms_that_a_changed_position_never_had_are_invalid(history):
    text = CHANGED.format(before="", after="").replace("read-all 1001", "read-all 1001:volume=2")
    assert payload_arrived_as_executed(history(text)).tickets == (1001,)
