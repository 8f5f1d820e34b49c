import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TradeRefused
from core.trade import Direction, Trade, normalise

GOOD = {
    "symbol": "XAUUSD",
    "direction": "BUY",
    "entry_price": 2350.0,
    "volume": 0.5,
    "stop_loss": 2340.0,
    "take_profit": 2370.0,
}
EXPECTED = Trade(7, "XAUUSD", Direction.BUY, 2350.0, 0.5, 2340.0, 2370.0)


def renamed(old: str, new: str) -> dict[str, object]:
    return {new if name == old else name: value for name, value in GOOD.items()}


@pytest.mark.parametrize(
    ("old", "new"),
    [("entry_price", name) for name in ("entry_price", "price_executed", "price", "entry")]
    + [("stop_loss", name) for name in ("stop_loss", "sl", "final_sl")]
    + [("take_profit", name) for name in ("take_profit", "tp", "final_tp")]
    + [("volume", name) for name in ("volume", "lot")],
)
def test_every_accepted_name_means_the_same(old: str, new: str) -> None:
    assert normalise(7, renamed(old, new)) == EXPECTED


def test_fields_may_stand_under_details() -> None:
    assert normalise(7, {"details": GOOD}) == EXPECTED


def test_the_top_level_goes_before_details() -> None:
    assert normalise(7, {"volume": 1.0, "details": GOOD}).volume == 1.0


@pytest.mark.parametrize("direction", ["buy", "Buy", "BUY"])
def test_direction_may_be_in_any_case(direction: str) -> None:
    assert normalise(7, GOOD | {"direction": direction}).direction is Direction.BUY


def test_stops_may_be_missing() -> None:
    trade = normalise(7, GOOD | {"stop_loss": None, "take_profit": None})
    assert (trade.stop_loss, trade.take_profit) == (None, None)


def test_strategy_is_kept_and_an_empty_one_is_none() -> None:
    assert normalise(7, GOOD | {"strategy_type": "trap"}).strategy_type == "trap"
    assert normalise(7, GOOD | {"strategy_type": ""}).strategy_type is None


@pytest.mark.parametrize(
    ("field", "why", "changed"),
    [
        ("entry", "is missing", {"entry_price": None}),
        ("entry", "must be above 0", {"entry_price": 0}),
        ("entry", "must be above 0", {"entry_price": -1.0}),
        ("entry", "must be a number, not str", {"entry_price": "2350"}),
        ("entry", "must be finite", {"entry_price": math.nan}),
        ("entry", "must be finite", {"entry_price": math.inf}),
        ("entry", "is too large", {"entry_price": 10**400}),
        ("volume", "is missing", {"volume": None}),
        ("volume", "must be above 0 and at most 1000", {"volume": 0}),
        ("volume", "must be above 0 and at most 1000", {"volume": 1000.1}),
        ("volume", "must be a number, not bool", {"volume": True}),
        ("stop_loss", "must be above 0", {"stop_loss": 0.0}),
        ("take_profit", "must be a number, not list", {"take_profit": []}),
        ("stop_loss", "is on the wrong side of the entry for a BUY", {"stop_loss": 2360.0}),
        ("stop_loss", "is on the wrong side of the entry for a BUY", {"stop_loss": 2350.0}),
        ("take_profit", "is on the wrong side of the entry for a BUY", {"take_profit": 2340.0}),
        ("take_profit", "is on the wrong side of the entry for a BUY", {"take_profit": 2350.0}),
        ("stop_loss", "is on the wrong side of the entry for a SELL", {"direction": "SELL"}),
        ("stop_loss", "is on the wrong side of the entry for a SELL",
         {"direction": "SELL", "stop_loss": 2350.0, "take_profit": 2340.0}),
        ("take_profit", "is on the wrong side of the entry for a SELL",
         {"direction": "SELL", "stop_loss": 2360.0}),
        ("take_profit", "is on the wrong side of the entry for a SELL",
         {"direction": "SELL", "stop_loss": 2360.0, "take_profit": 2350.0}),
        ("symbol", "must be a non-empty string", {"symbol": ""}),
        ("symbol", "must be a non-empty string", {"symbol": None}),
        ("symbol", "must be at most 32 printable characters", {"symbol": "X" * 33}),
        ("symbol", "must be at most 32 printable characters", {"symbol": "a\nb"}),
        ("direction", "must be BUY or SELL", {"direction": "LONG"}),
        ("direction", "must be BUY or SELL", {"direction": 1}),
        ("strategy_type", "must be a string", {"strategy_type": 5}),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused_by_name(
    field: str, why: str, changed: dict[str, object]
) -> None:
    with pytest.raises(TradeRefused) as refusal:
        normalise(7, GOOD | changed)
    assert (refusal.value.field, str(refusal.value)) == (field, f"{field}: {why}")
    assert refusal.value.definite


@pytest.mark.parametrize(
    "changed",
    [
        {"symbol": "X" * 32},
        {"volume": 1000.0},
        {"volume": 0.01},
        {"entry_price": 0.5, "stop_loss": 0.4, "take_profit": 0.6},
        {"direction": "SELL", "stop_loss": 2350.5, "take_profit": 2349.5},
    ],
)
def test_what_is_just_within_its_bounds_is_accepted(changed: dict[str, object]) -> None:
    trade = normalise(7, GOOD | changed)
    told = {"symbol": trade.symbol, "volume": trade.volume, "entry_price": trade.entry,
            "stop_loss": trade.stop_loss, "take_profit": trade.take_profit,
            "direction": trade.direction.value}  # fmt: skip
    assert told == GOOD | changed


@pytest.mark.parametrize(
    ("ticket", "why"),
    [(0, "must be from 1 to 9223372036854775807"), (-1, "must be from 1 to 9223372036854775807"),
     (2**63, "must be from 1 to 9223372036854775807"), (True, "must be an integer, not bool"),
     (7.0, "must be an integer, not float"), ("7", "must be an integer, not str"),
     (None, "must be an integer, not NoneType")],
)  # fmt: skip
def test_a_ticket_is_an_integer_in_range(ticket: object, why: str) -> None:
    with pytest.raises(TradeRefused) as refusal:
        normalise(ticket, GOOD)
    assert (refusal.value.field, str(refusal.value)) == ("ticket", f"ticket: {why}")


@pytest.mark.parametrize("ticket", [1, 2**63 - 1])
def test_the_first_and_the_last_ticket_are_tickets(ticket: int) -> None:
    assert normalise(ticket, GOOD).ticket == ticket


def test_a_trade_without_stops_says_so_with_none() -> None:
    trade = Trade(7, "XAUUSD", Direction.BUY, 2350.0, 0.5)
    assert (trade.stop_loss, trade.take_profit, trade.strategy_type) == (None, None, None)


def test_two_strategies_may_hold_the_same_position_but_no_two_tickets_are_one() -> None:
    assert EXPECTED.is_same_position(EXPECTED)
    assert EXPECTED.is_same_position(replace(EXPECTED, strategy_type="trap"))
    assert replace(EXPECTED, strategy_type="trap").is_same_position(EXPECTED)
    assert not EXPECTED.is_same_position(replace(EXPECTED, ticket=8))
    assert not EXPECTED.is_same_position(replace(EXPECTED, volume=0.4, strategy_type="trap"))


def test_trade_data_must_be_an_object() -> None:
    with pytest.raises(TradeRefused) as refusal:
        normalise(7, [])  # type: ignore[arg-type]
    assert (refusal.value.field, str(refusal.value)) == ("trade", "trade: must be an object")


@given(st.dictionaries(st.sampled_from([*GOOD, "details", "sl", "lot"]), st.text() | st.floats()))
def test_no_input_raises_anything_else(data: dict[str, object]) -> None:
    try:
        trade = normalise(1, data)
    except TradeRefused:
        return
    assert trade.entry > 0
    assert 0 < trade.volume <= 1000
