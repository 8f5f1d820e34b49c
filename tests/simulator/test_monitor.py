"""The monitoring cycle, state transitions and the control plane."""

import pytest

from simulator import monitor as monitoring
from simulator.engine import Problem
from simulator.ledger import TransitionRefused
from simulator.states import TRANSITIONS, State, allowed

LAB = {"X-Lab-Token": "sesame"}


@pytest.fixture
def make_store(every_store):
    return every_store


def test_every_state_is_listed_and_reachable_from_healthy() -> None:
    assert set(TRANSITIONS) == set(State)
    reached = {State.HEALTHY}
    for _ in State:
        reached |= {after for before in reached for after in TRANSITIONS[before]}
    assert reached == set(State)


def test_any_state_may_close_and_none_comes_back() -> None:
    assert all(allowed(state, State.CLOSED) for state in State if state is not State.CLOSED)
    assert not any(allowed(State.CLOSED, state) for state in State)


async def test_what_the_broker_closed_is_closed(engine_at, table_broker, position) -> None:
    table_broker.positions_by_ticket = {1001: position(), 2: position(2)}
    async with engine_at(broker=table_broker) as running:
        await running.ready()
        del table_broker.positions_by_ticket[2]
        await running.engine.monitor.cycle()
        assert running.engine.ledger.get(1001).active
        assert running.engine.ledger.get(2).state is State.CLOSED


async def test_what_is_registered_while_the_broker_is_asked_is_not_closed(
    engine_at, table_broker
) -> None:
    async with engine_at(broker=table_broker) as running:
        await running.ready()
        asked = table_broker.positions

        async def slowly():
            answer = await asked()
            await running.enable()
            return answer

        table_broker.positions = slowly
        await running.engine.monitor.cycle()
        assert running.engine.ledger.get(1001).active


async def test_a_broker_that_does_not_answer_closes_nothing(engine_at, table_broker, position):
    table_broker.positions_by_ticket = {1001: position()}
    async with engine_at(broker=table_broker) as running:
        await running.ready()
        table_broker.positions_by_ticket = None
        await running.engine.monitor.cycle()
        assert running.engine.ledger.get(1001).active
        assert (await running.client.get("/health")).json()["status"] == "degraded"


async def test_an_adopted_trade_is_given_up_when_its_owner_appears(
    engine_at, table_broker, table_registry, position
) -> None:
    table_broker.positions_by_ticket = {1: position(1), 2: position(2)}
    async with engine_at(broker=table_broker, registry=table_registry) as running:
        await running.ready()
        engine = running.engine
        for state in (State.WARNING_L1, State.WARNING_L2):
            await engine.move(engine.ledger.get(2), state, "worse")
        table_registry.owned = {1: True, 2: True}
        await engine.monitor.cycle()
        assert engine.ledger.get(1).state is State.CLOSED
        # DTMS is defending it: its claim goes first.
        assert engine.ledger.get(2).state is State.WARNING_L2
        for _ in range(6):
            await engine.monitor.cycle()
        assert engine.monitor._watched == {}


async def test_a_trade_adopted_before_a_restart_is_given_up_after_it(
    engine_at, table_broker, table_registry, position
) -> None:
    table_broker.positions_by_ticket = {1: position(1)}
    async with engine_at(broker=table_broker, registry=table_registry) as running:
        await running.ready()
    table_registry.owned = {1: True}
    async with engine_at(broker=table_broker, registry=table_registry) as running:
        await running.ready()
        await running.engine.monitor.cycle()
        assert running.engine.ledger.get(1).state is State.CLOSED


async def test_a_registered_trade_is_given_up_when_its_owner_appears(
    engine_at, table_registry
) -> None:
    async with engine_at(registry=table_registry) as running:
        await running.ready()
        await running.enable()
        table_registry.owned = {1001: None}
        for _ in range(9):
            await running.engine.monitor.cycle()
        assert running.engine.ledger.get(1001).active
        table_registry.owned = {1001: True}
        await running.engine.monitor.cycle()
        assert running.engine.ledger.get(1001).state is State.CLOSED


async def test_a_silent_registry_does_not_hold_the_cycle_up(engine_at, table_registry) -> None:
    asked = []

    async def silent(ticket):
        asked.append(ticket)

    async with engine_at(registry=table_registry) as running:
        await running.ready()
        table_registry.is_owned_elsewhere = silent
        running.engine.monitor.watch_ownership(range(1, 100))
        await running.engine.monitor.cycle()
    assert len(asked) == monitoring.REGISTRY_AT_ONCE_MAX


async def test_old_closed_trades_are_forgotten_every_tenth_cycle(dtms, monkeypatch) -> None:
    monkeypatch.setattr(monitoring, "CLOSED_KEPT_MAX", 2)
    for ticket in range(1, 6):
        await dtms.enable(ticket=ticket)
        await dtms.client.delete(f"/dtms/trade/{ticket}")
    await dtms.enable(ticket=6)
    for _ in range(9):
        await dtms.engine.monitor.cycle()
    assert len(dtms.engine.ledger.all()) == 6
    await dtms.engine.monitor.cycle()
    assert [r.ticket for r in dtms.engine.ledger.all()] == [4, 5, 6]
    assert (await dtms.client.get("/dtms/trade/1")).status_code == 404


async def test_a_cycle_whose_changes_cannot_be_stored_is_told_and_survived(
    engine_at, table_broker, position
) -> None:
    table_broker.positions_by_ticket = {1: position(1)}
    async with engine_at(broker=table_broker) as running:
        await running.ready()
        running.engine.store.faults.fails = True
        table_broker.positions_by_ticket = {7: position(7)}
        running.engine._recovered = False
        await running.engine.monitor.cycle()
        assert running.events()[-1]["event"] == "monitoring_not_stored"
        assert running.engine.ledger.get(1).active


async def test_a_cycle_runs_every_interval_and_is_observed(engine_at, until) -> None:
    async with engine_at(interval_s=0.01) as running:
        await running.ready()
        await until(lambda: running.engine.monitor.cycles >= 3)
        assert running.engine.monitor.last_check is not None


async def test_a_monitor_that_dies_is_restarted_three_times_and_then_degraded(
    engine_at, until
) -> None:
    async with engine_at(interval_s=0.01) as running:
        await running.ready()
        monitor = running.engine.monitor
        for deaths in (1, 2, 3):
            monitor.die_next = True
            await until(lambda deaths=deaths: monitor.restarts == deaths)
            assert monitor.active
        monitor.die_next = True
        await until(lambda: not monitor.active)
        body = (await running.client.get("/health")).json()
        assert (body["status"], body["troubles"]) == ("degraded", ["the monitor is dead"])
        monitor.start()
        assert monitor.active


async def test_a_transition_that_does_not_follow_is_refused(dtms) -> None:
    await dtms.enable()
    with pytest.raises(TransitionRefused):
        await dtms.engine.move(dtms.engine.ledger.get(1001), State.HEDGED, "no")


async def test_a_transition_that_cannot_be_stored_changes_nothing(dtms) -> None:
    await dtms.enable()
    dtms.engine.store.faults.fails = True
    assert (await dtms.client.delete("/dtms/trade/1001")).status_code == 503
    assert dtms.engine.ledger.get(1001).active
    moved = await dtms.engine.move(dtms.engine.ledger.get(1001), State.WARNING_L1, "x")
    assert isinstance(moved, Problem)


@pytest.mark.parametrize("headers", [{}, {"X-Lab-Token": "wrong"}])
async def test_the_control_plane_is_closed_without_the_token(dtms, headers) -> None:
    response = await dtms.client.post("/_lab/faults", json={"fault": "crash"}, headers=headers)
    assert response.status_code == 401


async def test_a_fault_is_inflicted_and_taken_back(dtms) -> None:
    for name in ("store-fails", "store-locked", "store-read-only"):
        fault = {"fault": name}
        made = await dtms.client.post("/_lab/faults", json=fault, headers=LAB)
        assert (await dtms.enable()).status_code == 503, fault
        state = (await dtms.client.get("/_lab/state", headers=LAB)).json()
        assert state["faults"] == {str(made.json()["id"]): fault}
        healed = await dtms.client.delete(f"/_lab/faults/{made.json()['id']}", headers=LAB)
        assert healed.status_code == 200
    assert (await dtms.enable()).json()["already_registered"] is False


async def test_a_full_disk_takes_no_more_rows(dtms) -> None:
    await dtms.client.post("/_lab/faults", json={"fault": "store-full"}, headers=LAB)
    statuses = {(await dtms.enable(ticket=n)).status_code for n in range(1, 200)}
    assert 503 in statuses
    assert (await dtms.client.get("/dtms/health")).status_code == 503
    await dtms.client.delete("/_lab/faults", headers=LAB)
    assert (await dtms.enable(ticket=500)).status_code == 200


async def test_every_other_fault_can_be_taken_back_too(dtms) -> None:
    engine = dtms.engine
    for fault in (
        {"fault": "store-slow", "delay_s": 0.01},
        {"fault": "crash", "point": "before-commit", "after": 9},
        {"fault": "crash", "point": "after-commit", "after": 9},
        {"fault": "crash", "point": "during-recovery"},
        {"fault": "init-slow"},
        {"fault": "init-fails", "times": 2},
        {"fault": "monitor-dies"},
    ):
        made = await dtms.client.post("/_lab/faults", json=fault, headers=LAB)
        assert made.status_code == 200, fault
    assert engine.store.faults.slow_s == 0.01
    assert (engine.store.faults.crash_before, engine.store.faults.crash_after) == (9, 9)
    assert (await dtms.enable()).status_code == 200
    assert (engine.store.faults.crash_before, engine.store.faults.crash_after) == (8, 8)
    await dtms.client.delete("/_lab/faults", headers=LAB)
    assert engine.store.faults.slow_s == 0
    assert engine.store.faults.crash_before is engine.store.faults.crash_after is None
    assert engine.init_faults.crash_in_recovery is None
    assert not engine.monitor.die_next


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "earthquake"},
        {"fault": 7},
        {},
        {"fault": "crash", "point": "nowhere"},
        {"fault": "store-slow", "delay_s": -1},
        {"fault": "store-slow", "delay_s": 61},
        {"fault": "store-slow", "delay_s": "long"},
        {"fault": "init-fails", "times": True},
        [],
    ],
)
async def test_a_fault_that_is_none_is_refused(dtms, fault) -> None:
    response = await dtms.client.post("/_lab/faults", json=fault, headers=LAB)
    assert response.status_code == 422


async def test_faults_in_force_are_bounded(dtms) -> None:
    for _ in range(100):
        await dtms.client.post("/_lab/faults", json={"fault": "init-slow"}, headers=LAB)
    response = await dtms.client.post("/_lab/faults", json={"fault": "init-slow"}, headers=LAB)
    assert response.status_code == 422


async def test_a_store_that_is_not_open_cannot_be_locked(engine_at) -> None:
    def slow(engine) -> None:
        engine.init_faults.delay_s = 0.2

    async with engine_at(before=slow) as running:
        fault = {"fault": "store-locked"}
        response = await running.client.post("/_lab/faults", json=fault, headers=LAB)
        assert response.status_code == 422


async def test_the_lab_moves_states_along_the_transitions(dtms) -> None:
    await dtms.enable()

    async def move(state: object, ticket: int = 1001) -> int:
        path = f"/_lab/trades/{ticket}/state"
        response = await dtms.client.post(path, json={"state": state}, headers=LAB)
        return response.status_code

    for state in ("WARNING_L1", "WARNING_L2", "HEDGED", "RECOVERING", "HEALTHY"):
        assert await move(state) == 200
    assert await move("HEDGED") == 422
    assert await move("ASLEEP") == 422
    assert await move("CLOSED", ticket=9) == 404
    dtms.engine.store.faults.fails = True
    assert await move("WARNING_L1") == 503


async def test_what_the_control_plane_does_not_know_is_404(dtms) -> None:
    assert (await dtms.client.get("/_lab/weather", headers=LAB)).status_code == 404
    assert (await dtms.client.delete("/_lab/faults/99", headers=LAB)).status_code == 404
