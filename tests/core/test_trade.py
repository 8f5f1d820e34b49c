import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TradeRefused
from core.trade import (
    ENTRY_NAMES,
    STOP_LOSS_NAMES,
    TAKE_PROFIT_NAMES,
    VOLUME_NAMES,
    Direction,
    Trade,
    normalise,
)

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
    [("entry_price", name) for name in ENTRY_NAMES]
    + [("stop_loss", name) for name in STOP_LOSS_NAMES]
    + [("take_profit", name) for name in TAKE_PROFIT_NAMES]
    + [("volume", name) for name in VOLUME_NAMES],
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
    ("field", "changed"),
    [
        ("entry", {"entry_price": None}),
        ("entry", {"entry_price": 0}),
        ("entry", {"entry_price": -1.0}),
        ("entry", {"entry_price": "2350"}),
        ("entry", {"entry_price": math.nan}),
        ("entry", {"entry_price": math.inf}),
        ("entry", {"entry_price": 10**400}),
        ("volume", {"volume": None}),
        ("volume", {"volume": 0}),
        ("volume", {"volume": 1000.1}),
        ("volume", {"volume": True}),
        ("stop_loss", {"stop_loss": 0.0}),
        ("stop_loss", {"stop_loss": 2360.0}),
        ("take_profit", {"take_profit": 2340.0}),
        ("stop_loss", {"direction": "SELL"}),
        ("take_profit", {"direction": "SELL", "stop_loss": 2360.0}),
        ("symbol", {"symbol": ""}),
        ("symbol", {"symbol": None}),
        ("symbol", {"symbol": "X" * 33}),
        ("symbol", {"symbol": "a\nb"}),
        ("direction", {"direction": "LONG"}),
        ("direction", {"direction": 1}),
        ("strategy_type", {"strategy_type": 5}),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(field: str, changed: dict[str, object]) -> None:
    with pytest.raises(TradeRefused) as refusal:
        normalise(7, GOOD | changed)
    assert refusal.value.field == field
    assert refusal.value.definite


@pytest.mark.parametrize("ticket", [0, -1, 2**63, True, 7.0, "7", None])
def test_a_ticket_is_an_integer_in_range(ticket: object) -> None:
    with pytest.raises(TradeRefused, match="ticket"):
        normalise(ticket, GOOD)


def test_trade_data_must_be_an_object() -> None:
    with pytest.raises(TradeRefused, match="object"):
        normalise(7, [])  # type: ignore[arg-type]


@given(st.dictionaries(st.sampled_from([*GOOD, "details", "sl", "lot"]), st.text() | st.floats()))
def test_no_input_raises_anything_else(data: dict[str, object]) -> None:
    try:
        trade = normalise(1, data)
    except TradeRefused:
        return
    assert trade.entry > 0
    assert 0 < trade.volume <= 1000
