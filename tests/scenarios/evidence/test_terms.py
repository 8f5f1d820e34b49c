from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.evidence.terms import Terms
from scenarios.workload import Position

PRICE = st.floats(0.01, 1e6)
POSITIONS = st.builds(
    Position,
    ticket=st.just(1),
    symbol=st.sampled_from(["XAUUSD", "EURUSD"]),
    direction=st.sampled_from(["BUY", "SELL"]),
    entry=PRICE,
    volume=PRICE,
    stop_loss=st.none() | PRICE,
    take_profit=st.none() | PRICE,
)


@settings(deadline=None)
@given(POSITIONS, st.sampled_from(["wire", "bot", "desktop", "nested"]))
def test_every_spelling_of_a_position_means_the_same_terms(position, spelling):
    terms = Terms.of(position.data(spelling))
    assert terms is not None
    assert terms.same(Terms.of(position.data("wire")))
    assert (terms.entry, terms.stop_loss) == (position.entry, position.stop_loss)


@pytest.mark.parametrize(
    ("changed", "possible"),
    [
        ({}, True),
        ({"stop_loss": None, "take_profit": None}, True),
        ({"stop_loss": 2360.0}, False),
        ({"stop_loss": 0.0}, False),
        ({"take_profit": 2340.0}, False),
        ({"direction": "SELL"}, False),
        ({"direction": "SELL", "stop_loss": 2360.0, "take_profit": 2330.0}, True),
        ({"direction": "SELL", "stop_loss": 2360.0, "take_profit": 0.0}, False),
        ({"direction": "LONG"}, False),
        ({"volume": 0.0}, False),
        ({"entry": -1.0}, False),
        ({"symbol": ""}, False),
    ],
)
def test_possible_is_what_a_broker_can_have_executed(trade, changed, possible):
    assert Terms.of({**trade, **changed}).possible is possible


@pytest.mark.parametrize("missing", ["symbol", "direction", "entry", "volume"])
def test_without_what_is_needed_there_are_no_terms(trade, missing):
    assert Terms.of({**trade, missing: None}) is None
