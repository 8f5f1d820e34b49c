from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.routing import DEFENSIVE_STATES, Manager, Route, prevailing, route

CLAIMS = st.frozensets(st.sampled_from([m for m in Manager if m is not Manager.NOBODY]))


@pytest.mark.parametrize("has_local_engine", [True, False])
def test_a_strategy_goes_to_the_universal_manager_whatever_else_there_is(
    trade, has_local_engine: bool
) -> None:
    planned = replace(trade, strategy_type="breakout")
    assert route(planned, has_local_engine=has_local_engine) is Route.UNIVERSAL_MANAGER


def test_without_a_strategy_a_local_engine_is_asked_first(trade) -> None:
    assert route(trade, has_local_engine=True) is Route.LOCAL_ENGINE


def test_without_strategy_and_engine_the_api_is_used(trade) -> None:
    assert route(trade, has_local_engine=False) is Route.DTMS_API


def test_the_registry_words_are_the_contracts() -> None:
    assert {manager.value for manager in Manager} == {
        "universal_sl_tp_manager",
        "dtms_manager",
        "intelligent_exit_manager",
        "legacy_exit_manager",
        "",
    }


@pytest.mark.parametrize("state", ["HEDGED", "WARNING_L2"])
@given(claims=CLAIMS)
def test_dtms_on_the_defensive_goes_before_all(state: str, claims: frozenset[Manager]) -> None:
    assert prevailing(claims | {Manager.DTMS}, state) is Manager.DTMS


@pytest.mark.parametrize("state", ["HEALTHY", "WARNING_L1", "RECOVERING", "CLOSED", ""])
@given(claims=CLAIMS)
def test_else_the_universal_manager_goes_before_all(state: str, claims: frozenset[Manager]) -> None:
    assert prevailing(claims | {Manager.UNIVERSAL}, state) is Manager.UNIVERSAL


def test_dtms_goes_before_the_exit_managers_and_the_new_one_before_the_old() -> None:
    exits = frozenset({Manager.INTELLIGENT_EXIT, Manager.LEGACY_EXIT})
    assert prevailing(exits | {Manager.DTMS}, "HEALTHY") is Manager.DTMS
    assert prevailing(exits, "HEALTHY") is Manager.INTELLIGENT_EXIT
    assert prevailing(frozenset({Manager.LEGACY_EXIT}), "") is Manager.LEGACY_EXIT


@given(CLAIMS, st.sampled_from([*sorted(DEFENSIVE_STATES), "HEALTHY", ""]))
def test_who_prevails_is_one_who_claims_and_nobody_only_where_nobody_does(claims, state) -> None:
    winner = prevailing(claims, state)
    assert winner in claims or (not claims and winner is Manager.NOBODY)
