"""What the outbox makes of what it is given: pure, whatever disk is below."""

from __future__ import annotations

from dataclasses import replace

from core.outbox import Contradicted, Intent, Stored, concluded, fallen_back, put_into
from core.outcome import Closed, Pending, Registered, Rejected
from core.trade import Direction, Trade

TRADE = Trade(1001, "XAUUSD", Direction.BUY, 2350.0, 0.5, 2340.0, 2370.0)
KNOWN = Intent(TRADE, "first")


def test_a_trade_that_is_not_known_is_a_new_intent() -> None:
    assert put_into(None, TRADE, "id") == (Intent(TRADE, "id"), Stored(Intent(TRADE, "id")), None)


def test_the_same_trade_is_the_same_intent() -> None:
    assert put_into(KNOWN, TRADE, "second") == (None, Stored(KNOWN), None)


def test_other_data_are_contradicted_and_change_nothing() -> None:
    other = replace(TRADE, volume=0.6)
    assert put_into(KNOWN, other, "second") == (None, Contradicted(KNOWN), None)


def test_a_position_found_at_the_broker_is_the_trade_that_its_service_registers() -> None:
    """A broker knows no strategy: who recovers a position must not make its owner a liar."""
    with_strategy = replace(TRADE, strategy_type="breakout_trap")
    assert put_into(KNOWN, with_strategy, "second") == (None, Stored(KNOWN), None)


def test_what_was_rejected_may_be_tried_with_other_data() -> None:
    rejected = replace(KNOWN, state="REJECTED", reason="no")
    other = replace(TRADE, volume=0.6)
    assert put_into(rejected, other, "id")[0] == Intent(other, "id")


def test_what_ended_is_opened_anew_unless_the_position_is_closed() -> None:
    registered = replace(KNOWN, state="REGISTERED", reason="dtms_manager")
    assert put_into(registered, TRADE, "id")[0] == KNOWN
    closed = replace(KNOWN, state="CLOSED")
    assert put_into(closed, TRADE, "id") == (None, Stored(closed), None)


def test_what_is_registered_stays_so_where_nothing_can_be_written() -> None:
    registered = replace(KNOWN, state="REGISTERED", reason="dtms_manager")
    assert put_into(registered, TRADE, "id")[2] == Stored(registered)
    for state in ("REJECTED", "CONFLICT"):
        assert put_into(replace(KNOWN, state=state), TRADE, "id")[1:] == (Stored(KNOWN), None)


def test_an_outcome_is_written_once_with_its_reason() -> None:
    registered, *answers = concluded(KNOWN, Registered(1001, managed_by="dtms_manager"))
    assert registered == replace(KNOWN, state="REGISTERED", reason="dtms_manager")
    assert answers == [None, None]
    assert concluded(registered, Registered(1001))[0] is None
    assert concluded(KNOWN, Pending(1001, "later"))[0] is None
    rejected = replace(KNOWN, state="REJECTED", reason="no")
    assert concluded(KNOWN, Rejected(1001, "no"))[0] == rejected
    assert concluded(KNOWN, Closed(1001))[0] == replace(KNOWN, state="CLOSED")
    assert concluded(None, Closed(1001))[0] is None


def test_who_falls_back_to_dtms_is_not_offered_to_another_manager_again() -> None:
    with_strategy = Intent(replace(TRADE, strategy_type="breakout_trap"), "first")
    assert fallen_back(with_strategy) == (KNOWN, KNOWN, None)
    assert fallen_back(KNOWN) == (None, KNOWN, None)
    assert fallen_back(None) == (None, None, None)
