"""What a restarted DTMS does with each ticket: pure, and through the engine."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.ledger import registration_of
from simulator.recovery import recover
from simulator.request import EnableRequest
from simulator.states import State

NOW = "2026-01-01T00:00:00+00:00"
LATER = "2026-01-02T00:00:00+00:00"


@pytest.fixture
def make_store(every_store):
    return every_store


def asked(ticket: int, volume: float = 1.0) -> EnableRequest:
    return EnableRequest(ticket, "XAUUSD", "BUY", 2350.0, volume)


def row(ticket: int, volume: float = 1.0, state: State = State.HEALTHY):
    return msgspec.structs.replace(registration_of(asked(ticket, volume), NOW), state=state)


def test_stored_and_open_is_restored_with_its_state() -> None:
    hedged = row(1, state=State.HEDGED)
    done = recover([hedged], {1: asked(1)}, {}, LATER)
    assert (done.registrations, done.changed) == ((hedged,), ())


def test_stored_and_answered_without_is_closed() -> None:
    (closed,) = recover([row(1)], {}, {}, LATER).changed
    assert (closed.state, closed.last_updated) == (State.CLOSED, LATER)


def test_the_brokers_data_win() -> None:
    (changed,) = recover([row(1, state=State.WARNING_L1)], {1: asked(1, 2.0)}, {}, LATER).changed
    assert (changed.volume, changed.state, changed.registered_at) == (2.0, State.WARNING_L1, NOW)


def test_open_and_nobodys_is_adopted() -> None:
    done = recover([], {1: asked(1)}, {}, LATER)
    assert done.adopted == (1,)
    assert done.registrations == done.changed


def test_open_and_another_managers_is_left() -> None:
    assert recover([], {1: asked(1)}, {1: True}, LATER).registrations == ()


def test_open_and_nobody_can_tell_is_left_for_later() -> None:
    done = recover([], {1: asked(1)}, {1: None}, LATER)
    assert (done.registrations, done.unowned) == ((), (1,))


def test_closed_stays_closed_even_if_the_broker_names_it() -> None:
    closed = row(1, state=State.CLOSED)
    assert recover([closed], {1: asked(1)}, {}, LATER).changed == ()


TICKETS = st.integers(1, 6)
ROWS = st.dictionaries(TICKETS, st.sampled_from(State)).map(
    lambda states: [row(ticket, state=state) for ticket, state in states.items()]
)
POSITIONS = st.dictionaries(TICKETS, st.floats(0.1, 5)).map(
    lambda volumes: {ticket: asked(ticket, volume) for ticket, volume in volumes.items()}
)
OWNERS = st.dictionaries(TICKETS, st.sampled_from([True, False, None]))


@given(ROWS, OWNERS)
def test_no_data_changes_nothing(rows, owners) -> None:
    done = recover(rows, None, owners, LATER)
    assert (done.registrations, done.changed, done.adopted) == (tuple(rows), (), ())


@given(ROWS, POSITIONS, OWNERS)
def test_whatever_is_open_is_protected_or_somebody_elses(rows, positions, owners) -> None:
    done = recover(rows, positions, owners, LATER)
    tickets = [registration.ticket for registration in done.registrations]
    assert len(tickets) == len(set(tickets))
    active = {r.ticket for r in done.registrations if r.active}
    closed = {r.ticket for r in rows if not r.active}
    elsewhere = {t for t in positions if owners.get(t, False) is not False}
    assert active <= set(positions)
    assert set(positions) - active <= closed | elsewhere
    assert {r.ticket for r in rows} <= set(tickets)


@given(ROWS, POSITIONS, OWNERS)
def test_recovering_again_changes_nothing_more(rows, positions, owners) -> None:
    done = recover(rows, positions, owners, LATER)
    assert recover(done.registrations, positions, owners, LATER).changed == ()


async def test_a_broker_without_data_is_waited_for(engine_at, table_broker, position) -> None:
    table_broker.positions_by_ticket = {7: position(7)}
    table_broker.failures = 2
    async with engine_at(broker=table_broker, broker_wait_s=5.0) as running:
        await running.ready()
        assert table_broker.asked == 3
        assert running.engine.ledger.get(7).active


async def test_a_broker_that_stays_silent_closes_nothing_and_is_told(
    engine_at, table_broker, position
) -> None:
    async with engine_at() as running:
        await running.ready()
        await running.enable()
    table_broker.positions_by_ticket = None
    async with engine_at(broker=table_broker) as running:
        await running.ready()
        assert running.engine.ledger.get(1001).active
        response = await running.client.get("/health")
        assert (response.status_code, response.json()["status"]) == (503, "degraded")
        assert (await running.client.get("/dtms/health")).status_code == 200
        # Once the broker answers, the recovery is finished.
        table_broker.positions_by_ticket = {7: position(7)}
        await running.engine.monitor.cycle()
        assert running.engine.ledger.get(7).active
        assert not running.engine.ledger.get(1001).active
        assert (await running.client.get("/health")).status_code == 200


async def test_what_nobody_could_tell_of_is_asked_again(
    engine_at, table_broker, table_registry, position
) -> None:
    table_broker.positions_by_ticket = {7: position(7)}
    table_registry.owned = {7: None}
    async with engine_at(broker=table_broker, registry=table_registry) as running:
        await running.ready()
        assert running.engine.ledger.get(7) is None
        table_registry.owned = {}
        await running.engine.monitor.cycle()
        assert running.engine.ledger.get(7).active


@pytest.mark.parametrize("every_store", ["sqlite"], indirect=True)
async def test_a_corrupt_store_is_set_aside_and_rebuilt_from_the_broker(
    engine_at, table_broker, position, tmp_path
) -> None:
    async with engine_at() as running:
        await running.ready()
        await running.enable()
    path = tmp_path / "data" / "dtms.db"
    path.write_bytes(b"\xde\xad" * 4096)
    table_broker.positions_by_ticket = {1001: position()}
    async with engine_at(broker=table_broker) as running:
        await running.ready()
        assert running.engine.ledger.get(1001).active
        body = (await running.client.get("/health")).json()
        assert body["status"] == "degraded"
        assert "corrupt" in body["troubles"][0]
        assert (await running.client.get("/dtms/health")).status_code == 200
    assert len(list(path.parent.glob("dtms.db.corrupt-*"))) == 1


async def test_initialisation_is_tried_again(engine_at) -> None:
    def fails_twice(engine) -> None:
        engine.init_faults.failures_left = 2

    async with engine_at(before=fails_twice) as running:
        await running.ready()
        assert (await running.enable()).status_code == 200
        failures = [e for e in running.events() if e["event"] == "initialisation_failed"]
        assert len(failures) == 2
