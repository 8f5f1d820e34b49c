"""Routing, the readiness gate, payloads, permissions of readers."""

import asyncio

import pytest

from core.gate import ReadinessGate
from core.payload import enable_payload
from core.routing import Manager, Route, prevailing, route
from core.state_cache import TICKETS_MAX, StateCache, permissions
from core.trade import Direction, Trade

PLAIN = Trade(1, "EURUSD", Direction.SELL, 1.1, 0.2)
WITH_STRATEGY = Trade(1, "EURUSD", Direction.SELL, 1.1, 0.2, strategy_type="trap")


def test_a_strategy_routes_to_the_universal_manager_and_nothing_else_does() -> None:
    assert route(WITH_STRATEGY, has_local_engine=True) is Route.UNIVERSAL_MANAGER
    assert route(PLAIN, has_local_engine=True) is Route.LOCAL_ENGINE
    assert route(PLAIN, has_local_engine=False) is Route.DTMS_API


@pytest.mark.parametrize(
    ("claims", "state", "winner"),
    [
        ({Manager.UNIVERSAL, Manager.DTMS}, "HEALTHY", Manager.UNIVERSAL),
        ({Manager.UNIVERSAL, Manager.DTMS}, "HEDGED", Manager.DTMS),
        ({Manager.UNIVERSAL, Manager.DTMS}, "WARNING_L2", Manager.DTMS),
        ({Manager.DTMS, Manager.INTELLIGENT_EXIT}, "HEALTHY", Manager.DTMS),
        ({Manager.LEGACY_EXIT, Manager.INTELLIGENT_EXIT}, "", Manager.INTELLIGENT_EXIT),
        (set(), "HEDGED", Manager.NOBODY),
    ],
)
def test_conflicting_claims_are_settled_by_priority(claims, state, winner) -> None:
    assert prevailing(frozenset(claims), state) is winner


def test_the_payload_has_the_wires_names_and_no_strategy() -> None:
    assert enable_payload(WITH_STRATEGY) == {
        "ticket": 1,
        "symbol": "EURUSD",
        "direction": "SELL",
        "entry": 1.1,
        "volume": 0.2,
        "stop_loss": None,
        "take_profit": None,
    }


def test_readiness_counts_for_as_long_as_it_is_cached() -> None:
    gate = ReadinessGate(cache_s=1.5)
    assert not gate.is_fresh(0.0)
    gate.on_ready(0.0)
    assert gate.is_fresh(1.4)
    assert not gate.is_fresh(1.5)


def test_trouble_ends_what_was_known() -> None:
    gate = ReadinessGate()
    gate.on_ready(0.0)
    gate.on_trouble()
    assert not gate.is_fresh(0.1)


def test_who_waited_through_a_refusal_need_not_ask_again() -> None:
    gate = ReadinessGate()
    gate.on_refusal(5.0, "not yet")
    assert gate.refused_since(4.0)
    assert not gate.refused_since(6.0)


def test_not_knowing_forbids_trailing_and_nothing_else() -> None:
    unknown = permissions(None)
    assert (unknown.break_even, unknown.partial_close, unknown.trailing) == (True, True, False)


def test_a_defended_trade_is_dtmss_alone() -> None:
    assert not permissions("HEDGED").break_even
    assert permissions("HEALTHY").trailing


class States:
    def __init__(self, *answers: str | None) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def fetch(self, _ticket: int) -> str | None:
        self.asked += 1
        await asyncio.sleep(0)
        return self.answers.pop(0)


async def test_a_state_is_asked_for_once_in_ten_seconds(clock) -> None:
    states = States("HEALTHY", "HEDGED")
    cache = StateCache(states.fetch, clock)
    assert await cache.state(1) == "HEALTHY"
    clock.seconds = 9.9
    assert await cache.state(1) == "HEALTHY"
    clock.seconds = 10.0
    assert await cache.state(1) == "HEDGED"


async def test_the_last_known_state_is_used_for_thirty_seconds(clock) -> None:
    cache = StateCache(States("HEALTHY", None, None).fetch, clock)
    await cache.state(1)
    clock.seconds = 29.9
    assert await cache.state(1) == "HEALTHY"
    clock.seconds = 30.0
    assert await cache.state(1) is None


async def test_many_readers_at_once_ask_once(clock) -> None:
    states = States("HEALTHY")
    cache = StateCache(states.fetch, clock)
    assert await asyncio.gather(*(cache.state(1) for _ in range(20))) == ["HEALTHY"] * 20
    assert states.asked == 1


async def test_the_cache_is_bounded(clock) -> None:
    async def fetch(_ticket: int) -> str:
        return "HEALTHY"

    cache = StateCache(fetch, clock)
    for ticket in range(TICKETS_MAX + 5):
        await cache.state(ticket)
    assert len(cache._known) == TICKETS_MAX
