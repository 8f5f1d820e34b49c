import json
from dataclasses import replace

from core.payload import enable_payload


def test_the_wire_has_exactly_the_names_of_the_api(trade) -> None:
    assert enable_payload(trade) == {
        "ticket": 1001,
        "symbol": "XAUUSD",
        "direction": "BUY",
        "entry": 2350.0,
        "volume": 0.5,
        "stop_loss": 2340.0,
        "take_profit": 2370.0,
    }


def test_a_missing_stop_is_null_on_the_wire(trade) -> None:
    payload = enable_payload(replace(trade, stop_loss=None, take_profit=None))
    assert (payload["stop_loss"], payload["take_profit"]) == (None, None)


def test_the_strategy_stays_at_home(trade) -> None:
    assert "trap" not in json.dumps(enable_payload(replace(trade, strategy_type="trap")))


def test_the_direction_is_plain_text(trade) -> None:
    assert type(enable_payload(trade)["direction"]) is str
