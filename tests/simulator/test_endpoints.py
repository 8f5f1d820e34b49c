"""The other routes: health, status, documents, metrics, errors."""

import pytest


@pytest.fixture
def make_store(every_store):
    return every_store


async def test_every_error_body_has_its_four_parts_and_the_correlation_id(dtms) -> None:
    response = await dtms.client.get("/nowhere", headers={"X-Correlation-ID": "abc-1"})
    assert response.status_code == 404
    assert response.headers["X-Correlation-ID"] == "abc-1"
    body = response.json()
    assert set(body) == {"error", "message", "details", "correlation_id"}
    assert body["correlation_id"] == "abc-1"


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", 'a"b'])
async def test_a_correlation_id_that_is_none_is_replaced(dtms, given) -> None:
    response = await dtms.client.get("/health", headers={"X-Correlation-ID": given})
    assert response.headers["X-Correlation-ID"] not in {"", given}


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/health"), ("GET", "/dtms/trade/enable"), ("POST", "/dtms/trade/7")],
)
async def test_a_wrong_method_is_405(dtms, method, path) -> None:
    assert (await dtms.client.request(method, path)).status_code == 405


async def test_the_root_says_what_it_is(dtms) -> None:
    body = (await dtms.client.get("/")).json()
    assert set(body) == {"message", "version", "status", "timestamp"}


async def test_health_is_healthy_when_all_is_well(dtms) -> None:
    response = await dtms.client.get("/health")
    assert response.status_code == 200
    assert response.json()["status"] == "healthy"
    ready = (await dtms.client.get("/dtms/health")).json()
    assert ready["ready"] is True
    assert ready["dtms_initialized"] is True
    assert ready["monitoring_active"] is True


async def test_health_is_503_until_initialised(engine_at) -> None:
    def slow(engine) -> None:
        engine.init_faults.delay_s = 0.2

    async with engine_at(before=slow) as running:
        for path in ("/health", "/dtms/health"):
            response = await running.client.get(path)
            assert response.status_code == 503
        assert response.json()["ready"] is False
        assert "not initialised" in response.json()["error"]


@pytest.mark.parametrize("every_store", ["sqlite"], indirect=True)
async def test_health_is_500_when_initialisation_failed_for_good(engine_at, tmp_path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    failed = []
    async with engine_at(on_failed=lambda: failed.append(True)) as running:
        await running.engine.initialize()
        for path in ("/health", "/dtms/health"):
            assert (await running.client.get(path)).status_code == 500
        response = await running.enable()
        assert response.status_code == 503
        assert "could not be initialised" in response.json()["message"]
        initialised = await running.client.post("/dtms/initialize")
        assert initialised.status_code == 503
    assert failed == [True]


async def test_health_follows_the_store(dtms) -> None:
    dtms.engine.store.faults.fails = True
    await dtms.enable()
    for path in ("/health", "/dtms/health"):
        assert (await dtms.client.get(path)).status_code == 503
    dtms.engine.store.faults.fails = False
    dtms.engine._probed_at = float("-inf")
    assert (await dtms.client.get("/dtms/health")).status_code == 200


async def test_a_failing_store_is_probed_no_more_often_than_needed(dtms) -> None:
    dtms.engine.store.faults.fails = True
    await dtms.enable()
    dtms.engine._probed_at = dtms.engine._monotonic() + 60
    dtms.engine.store.faults.fails = False
    assert (await dtms.client.get("/dtms/health")).status_code == 503


async def test_a_dead_monitor_is_degraded(dtms) -> None:
    await dtms.engine.monitor.stop()
    response = await dtms.client.get("/health")
    assert response.status_code == 503
    assert response.json()["status"] == "degraded"
    assert "the monitor is dead" in response.json()["troubles"]


async def test_initialise_again_drops_nothing(dtms) -> None:
    await dtms.enable()
    response = await dtms.client.post("/dtms/initialize")
    assert response.status_code == 200
    assert dtms.engine.ledger.active_count == 1


async def test_status_counts_by_state(dtms) -> None:
    await dtms.enable()
    status = (await dtms.client.get("/dtms/status")).json()["dtms_status"]
    assert status["active_trades"] == 1
    assert status["trades_by_state"]["HEALTHY"] == 1
    assert {"system_active", "uptime", "performance", "last_check"} <= set(status)


async def test_actions_are_remembered(dtms) -> None:
    await dtms.enable()
    await dtms.client.delete("/dtms/trade/1001")
    body = (await dtms.client.get("/dtms/actions")).json()
    assert [action["action"] for action in body["action_history"]] == ["registered", "closed"]
    assert body["total_actions"] == 2


async def test_engine_tells_how_it_is_set_up(dtms) -> None:
    body = (await dtms.client.get("/dtms/engine")).json()
    assert body["broker"] == {"configured": False, "reachable": True}
    assert body["store"]["writable"] is True


async def test_metrics_tell_requests_outcomes_and_trades(dtms) -> None:
    await dtms.enable()
    await dtms.enable()
    await dtms.enable(volume=9.0)
    dtms.engine.store.faults.fails = True
    await dtms.enable(ticket=2)
    text = (await dtms.client.get("/dtms/metrics")).text
    assert "dtms_active_trades 1.0" in text
    assert 'dtms_registrations_total{outcome="new"} 1.0' in text
    assert 'dtms_registrations_total{outcome="already"} 1.0' in text
    assert 'dtms_registrations_total{outcome="ticket_conflict"} 1.0' in text
    assert 'dtms_requests_total{route="/dtms/trade/enable",status="200"} 2.0' in text
    assert "dtms_errors_total 1.0" in text
    assert "dtms_cycle_seconds_count 0.0" in text


async def test_metrics_labels_do_not_grow_with_paths(dtms) -> None:
    for n in range(50):
        await dtms.client.get(f"/x{n}")
        await dtms.client.get(f"/dtms/trade/{n + 1}")
    text = (await dtms.client.get("/dtms/metrics")).text
    assert "/x7" not in text
    assert 'route="/dtms/trade/{ticket}",status="404"' in text


async def test_the_contract_is_served_for_machines_and_people(dtms) -> None:
    document = (await dtms.client.get("/openapi.json")).json()
    assert "/dtms/trade/enable" in document["paths"]
    page = await dtms.client.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    for path in document["paths"]:
        assert path in page.text
    # Nothing is fetched from elsewhere.
    assert "src=" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text


async def test_what_comes_while_it_shuts_down_is_told_so(engine_at) -> None:
    async with engine_at() as running:
        await running.ready()
        running.engine.shut_down()
        response = await running.enable()
        assert response.status_code == 503
        assert "shutting down" in response.json()["message"]
        assert (await running.client.delete("/dtms/trade/1")).status_code == 503


async def test_initialise_before_the_start_waits_for_nothing(tmp_path) -> None:
    import time
    from datetime import UTC, datetime

    from simulator.engine import Engine
    from simulator.log import Log
    from simulator.store import SqliteStore

    def now() -> datetime:
        return datetime.now(UTC)

    store = SqliteStore(tmp_path, now)
    engine = Engine(store, now=now, monotonic=time.monotonic, draw=lambda: 0.5, log=Log(now))
    assert await engine.initialize() == {"success": False, "dtms_initialized": False}
    await engine.aclose()


async def test_whatever_is_too_large_is_counted_in_one_place(dtms) -> None:
    for n in range(3):
        await dtms.client.post(f"/x{n}", content=b" " * 70_000)
    text = (await dtms.client.get("/dtms/metrics")).text
    assert 'dtms_requests_total{route="too_large",status="413"} 3.0' in text
