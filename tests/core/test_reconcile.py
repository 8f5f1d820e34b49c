from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.acceptance import Absent, Differs, Present, Unclear
from core.reconcile import (
    AskAgain,
    MarkClosed,
    MarkRegistered,
    Register,
    Warn,
    reconcile,
    unclaimed,
)
from core.trade import Direction, Trade

NOBODY: dict[int, bool | None] = {}
HERE = Present("HEALTHY")
STATES = ("PENDING", "REGISTERED", "REJECTED", "CONFLICT", "CLOSED")


def trade_of(ticket: int) -> Trade:
    return Trade(ticket, "XAUUSD", Direction.BUY, 2350.0, 0.5)


TRADE = trade_of(7)


def test_an_open_position_that_nobody_holds_is_registered() -> None:
    assert reconcile({}, {7: Absent()}, {7: TRADE}, NOBODY) == (Register(TRADE),)


def test_one_that_another_manager_owns_is_left_alone() -> None:
    assert reconcile({7: "PENDING"}, {7: Absent()}, {7: TRADE}, {7: True}) == ()


@pytest.mark.parametrize("state", ["REGISTERED", "REJECTED", "CONFLICT", "CLOSED"])
def test_one_that_dtms_has_lost_is_registered_again(state) -> None:
    assert reconcile({7: state}, {7: Absent()}, {7: TRADE}, NOBODY) == (Register(TRADE),)


def test_a_pending_one_is_left_to_who_drives_it() -> None:
    assert reconcile({7: "PENDING"}, {7: Absent()}, {7: TRADE}, NOBODY) == ()


@pytest.mark.parametrize("state", ["PENDING", "REJECTED"])
def test_one_that_dtms_holds_is_marked_so(state) -> None:
    assert reconcile({7: state}, {7: HERE}, {7: TRADE}, NOBODY) == (MarkRegistered(7),)


@pytest.mark.parametrize("promised", [{}, {7: "REGISTERED"}, {7: "CONFLICT"}, {7: "CLOSED"}])
def test_one_that_dtms_holds_and_that_was_concluded_is_left_as_it_is(promised) -> None:
    assert reconcile(promised, {7: HERE}, {7: TRADE}, NOBODY) == ()


@pytest.mark.parametrize("state", ["PENDING", "REGISTERED"])
def test_one_that_the_broker_answered_without_is_closed(state) -> None:
    assert reconcile({7: state}, {}, {}, NOBODY) == (MarkClosed(7),)


@pytest.mark.parametrize("state", ["REJECTED", "CONFLICT", "CLOSED"])
def test_what_has_ended_is_not_ended_again(state) -> None:
    assert reconcile({7: state}, {}, {}, NOBODY) == ()


def test_no_data_is_not_empty() -> None:
    assert reconcile(dict.fromkeys(range(1, 9), "REGISTERED"), {}, None, NOBODY) == ()


def test_without_the_broker_what_dtms_holds_still_counts() -> None:
    assert reconcile({7: "PENDING"}, {7: HERE}, None, NOBODY) == (MarkRegistered(7),)


def test_without_the_broker_nothing_is_registered() -> None:
    assert reconcile({7: "REGISTERED"}, {7: Absent()}, None, NOBODY) == ()


@pytest.mark.parametrize(
    ("held", "why"),
    [({}, "it was not looked up"), ({7: Unclear("status 503")}, "status 503")],
)
def test_not_knowing_what_dtms_holds_means_asking_again(held, why) -> None:
    assert reconcile({}, held, {7: TRADE}, NOBODY) == (AskAgain(7, why),)
    assert reconcile({7: "PENDING"}, held, {7: TRADE}, NOBODY) == ()


def test_not_knowing_who_else_owns_it_means_asking_again() -> None:
    (action,) = reconcile({}, {7: Absent()}, {7: TRADE}, {7: None})
    assert action == AskAgain(7, "whether another manager owns it cannot be told")


def test_what_dtms_lacks_and_nobody_here_drives_may_be_another_managers() -> None:
    held = {1: Absent(), 2: HERE, 3: Absent(), 4: Unclear("down"), 5: Absent()}
    positions = {ticket: trade_of(ticket) for ticket in (1, 2, 3, 4)}
    assert unclaimed({3: "PENDING", 1: "REGISTERED"}, held, positions) == (1,)
    assert unclaimed({}, held, None) == ()


def test_other_data_at_dtms_are_a_matter_for_a_person() -> None:
    held = {7: Differs("volume is 9.0 there")}
    assert reconcile({7: "REGISTERED"}, held, {7: TRADE}, NOBODY) == (
        Warn(7, "volume is 9.0 there"),
    )


def test_a_conflict_that_was_told_is_not_told_again() -> None:
    assert reconcile({7: "CONFLICT"}, {7: Differs("volume")}, {7: TRADE}, NOBODY) == ()


TICKETS = st.integers(1, 6)
FOUND = st.sampled_from([HERE, Absent(), Differs("volume"), Unclear("down")])
PROMISED = st.dictionaries(TICKETS, st.sampled_from(STATES))
HELD = st.dictionaries(TICKETS, FOUND)
POSITIONS = st.frozensets(TICKETS).map(lambda tickets: {t: trade_of(t) for t in tickets})
OWNED = st.dictionaries(TICKETS, st.sampled_from([True, False, None]))


def ticket_of(action) -> int:
    return action.trade.ticket if isinstance(action, Register) else action.ticket


@given(PROMISED, HELD, st.none() | POSITIONS, OWNED)
def test_each_ticket_has_one_action_in_order_and_owned_ones_none(
    promised, held, positions, owned
) -> None:
    tickets = [ticket_of(action) for action in reconcile(promised, held, positions, owned)]
    assert tickets == sorted({t for t in tickets if owned.get(t) is not True})


@given(PROMISED, HELD, OWNED)
def test_no_data_never_closes_or_registers(promised, held, owned) -> None:
    actions = reconcile(promised, held, None, owned)
    assert not any(isinstance(action, MarkClosed | Register) for action in actions)


@given(PROMISED, HELD, POSITIONS, OWNED)
def test_only_open_positions_that_dtms_said_it_lacks_are_registered(
    promised, held, positions, owned
) -> None:
    for action in reconcile(promised, held, positions, owned):
        if isinstance(action, Register):
            assert positions[action.trade.ticket] == action.trade
            assert held[action.trade.ticket] == Absent()
            assert owned.get(action.trade.ticket, False) is False


@given(PROMISED, HELD, POSITIONS, OWNED)
def test_every_open_position_that_dtms_lacks_is_somebodys_afterwards(
    promised, held, positions, owned
) -> None:
    actions = reconcile(promised, held, positions, owned)
    followed = {ticket_of(a) for a in actions if isinstance(a, Register | AskAgain)}
    for ticket in positions:
        if held.get(ticket) == Absent() and owned.get(ticket) is not True:
            assert ticket in followed or promised[ticket] == "PENDING"


@given(PROMISED, HELD, POSITIONS, OWNED)
def test_an_open_position_is_never_marked_closed(promised, held, positions, owned) -> None:
    for action in reconcile(promised, held, positions, owned):
        if isinstance(action, MarkClosed):
            assert action.ticket not in positions


def test_the_brokers_data_are_what_is_registered() -> None:
    resized = replace(TRADE, volume=0.3)
    assert reconcile({7: "REGISTERED"}, {7: Absent()}, {7: resized}, NOBODY) == (Register(resized),)
