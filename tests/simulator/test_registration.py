"""Registering, looking up and closing a trade: the contract's table, row by row."""

import asyncio
import json

import pytest

from simulator.api import BODY_BYTES_MAX
from simulator.messages import Options


@pytest.fixture
def make_store(every_store):
    return every_store


async def test_a_new_ticket_is_registered(dtms, good) -> None:
    response = await dtms.enable()
    body = response.json()
    assert response.status_code == 200
    assert body["success"] is True
    assert body["already_registered"] is False
    info = body["trade_info"]
    assert info["entry_price"] == good["entry"]
    assert (info["state"], info["protection_active"]) == ("HEALTHY", True)


async def test_the_row_is_durable_before_the_answer(dtms, engine_at) -> None:
    await dtms.enable()
    async with engine_at() as other:
        await other.ready()
        assert other.engine.ledger.get(1001) is not None


async def test_the_same_again_is_already_registered(dtms) -> None:
    first = (await dtms.enable()).json()
    second = await dtms.enable()
    assert second.status_code == 200
    assert second.json()["already_registered"] is True
    assert second.json()["trade_info"] == first["trade_info"]


@pytest.mark.parametrize(
    "changed",
    [
        {"symbol": "EURUSD"},
        {"volume": 0.6},
        {"entry": 2351.0},
        {"stop_loss": None},
        {"take_profit": 2371.0},
        {"direction": "SELL", "stop_loss": 2370.0, "take_profit": 2340.0},
    ],
)
async def test_other_data_under_the_ticket_conflict_and_change_nothing(dtms, changed) -> None:
    before = (await dtms.enable()).json()["trade_info"]
    response = await dtms.enable(**changed)
    assert response.status_code == 409
    body = response.json()
    assert body["error"] == "ticket_conflict"
    assert body["details"] == before
    assert (await dtms.client.get("/dtms/trade/1001")).json()["trade_info"] == before


async def test_of_many_identical_requests_exactly_one_is_new(dtms) -> None:
    responses = await asyncio.gather(*(dtms.enable() for _ in range(50)))
    assert [r.status_code for r in responses] == [200] * 50
    assert sum(not r.json()["already_registered"] for r in responses) == 1


async def test_of_many_payloads_one_wins_and_the_rest_conflict(dtms) -> None:
    responses = await asyncio.gather(*(dtms.enable(volume=n / 100) for n in range(1, 31)))
    assert sorted(r.status_code for r in responses) == [200] + [409] * 29
    (winner,) = [r.json() for r in responses if r.status_code == 200]
    stored = (await dtms.client.get("/dtms/trade/1001")).json()["trade_info"]
    assert stored == winner["trade_info"]


async def test_unknown_fields_are_ignored(dtms) -> None:
    assert (await dtms.enable(strategy="x", entry_price=5)).status_code == 200


async def test_a_lookup_tells_the_state_twice(dtms) -> None:
    await dtms.enable()
    body = (await dtms.client.get("/dtms/trade/1001")).json()
    assert body["state"] == body["trade_info"]["state"] == "HEALTHY"


async def test_an_unknown_ticket_is_404(dtms) -> None:
    for method in ("GET", "DELETE"):
        response = await dtms.client.request(method, "/dtms/trade/9")
        assert response.status_code == 404
        assert response.json()["error"] == "unknown_ticket"


@pytest.mark.parametrize("ticket", ["x", "1.0", "-1", "0", "9223372036854775808", "²", "1" * 30])
async def test_a_ticket_that_is_no_integer_in_range_is_422(dtms, ticket) -> None:
    assert (await dtms.client.get(f"/dtms/trade/{ticket}")).status_code == 422


async def test_delete_closes_and_again_is_the_same(dtms) -> None:
    await dtms.enable()
    for _ in range(2):
        response = await dtms.client.delete("/dtms/trade/1001")
        assert response.status_code == 200
        assert response.json()["state"] == "CLOSED"
    assert dtms.engine.ledger.active_count == 0


async def test_a_closed_ticket_stays_closed(dtms) -> None:
    await dtms.enable()
    await dtms.client.delete("/dtms/trade/1001")
    again = (await dtms.enable()).json()
    assert again["already_registered"] is True
    assert (again["trade_info"]["state"], again["trade_info"]["protection_active"]) == (
        "CLOSED",
        False,
    )
    assert (await dtms.enable(volume=9.0)).status_code == 409


BROKEN: dict[str, tuple[bytes, set[int]]] = {
    "empty": (b"", {400}),
    "truncated": (b'{"ticket": 1001', {400}),
    "invalid utf-8": (b'{"ticket": 1001, "symbol": "\xff"}', {400}),
    "utf-16": ('{"ticket": 1001}'.encode("utf-16"), {400}),
    "two objects": (b"{}{}", {400, 422}),
    "not an object": (b"[1]", {422}),
    "null": (b"null", {422}),
    "deep nesting": (b'{"ticket":' + b"[" * 30_000 + b"]" * 30_000 + b"}", {400, 422}),
    "deep unknown field": (b'{"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}", {400, 422}),
    "lone surrogate": (b'{"symbol": "\\ud800"}', {400}),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_broken_bodies_are_refused_and_change_nothing(dtms, kind) -> None:
    body, expected = BROKEN[kind]
    response = await dtms.client.post("/dtms/trade/enable", content=body)
    assert response.status_code in expected
    assert set(response.json()) == {"error", "message", "details", "correlation_id"}
    assert dtms.engine.ledger.all() == ()
    assert (await dtms.enable()).json()["already_registered"] is False


BAD_FIELDS: list[tuple[str, str]] = [
    ("ticket", '"1001"'),
    ("ticket", "1001.0"),
    ("ticket", "true"),
    ("ticket", "null"),
    ("ticket", "0"),
    ("ticket", "-5"),
    ("ticket", "9223372036854775808"),
    ("ticket", "1e3"),
    ("symbol", '""'),
    ("symbol", f'"{"X" * 33}"'),
    ("symbol", '"a\\u0000b"'),
    ("symbol", "5"),
    ("direction", '"buy"'),
    ("direction", "1"),
    ("entry", "0"),
    ("entry", "-1"),
    ("entry", '"2350"'),
    ("entry", "null"),
    ("entry", "false"),
    ("entry", "1e13"),
    ("volume", "0"),
    ("volume", "1000.01"),
    ("stop_loss", "0"),
    ("stop_loss", "2360"),
    ("stop_loss", "2350"),
    ("take_profit", "2340"),
    ("take_profit", "[]"),
]


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
async def test_a_bad_field_is_422_and_named(dtms, good, field, value) -> None:
    text = json.dumps(good | {field: "@"}).replace('"@"', value)
    response = await dtms.client.post("/dtms/trade/enable", content=text)
    assert response.status_code == 422
    assert response.json()["details"] == {"field": field}
    assert field in response.json()["message"]
    assert dtms.engine.ledger.all() == ()


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["entry", "volume", "stop_loss"])
async def test_numbers_that_are_not_finite_are_refused(dtms, good, field, value) -> None:
    text = json.dumps(good | {field: "@"}).replace('"@"', value)
    response = await dtms.client.post("/dtms/trade/enable", content=text)
    assert response.status_code in {400, 422}
    assert dtms.engine.ledger.all() == ()


@pytest.mark.parametrize("field", ["ticket", "symbol", "direction", "entry", "volume"])
async def test_a_missing_field_is_422_and_named(dtms, good, field) -> None:
    del good[field]
    response = await dtms.client.post("/dtms/trade/enable", json=good)
    assert response.status_code == 422
    assert response.json()["details"] == {"field": field}


async def test_sell_stops_stand_on_the_other_side(dtms) -> None:
    sell = {"direction": "SELL", "stop_loss": 2360.0, "take_profit": 2340.0}
    assert (await dtms.enable(**sell)).status_code == 200
    wrong = await dtms.enable(ticket=2, direction="SELL", stop_loss=None, take_profit=2360.0)
    assert wrong.json()["details"] == {"field": "take_profit"}


async def test_a_body_over_64_kib_is_413(dtms, good) -> None:
    fits = json.dumps(good | {"note": ""})
    padding = BODY_BYTES_MAX - len(fits)
    at_most = json.dumps(good | {"note": "x" * padding})
    assert (await dtms.client.post("/dtms/trade/enable", content=at_most)).status_code == 200
    more = at_most.replace("x", "xx", 1)
    response = await dtms.client.post("/dtms/trade/enable", content=more)
    assert response.status_code == 413
    assert response.json()["error"] == "too_large"


async def test_a_chunked_body_over_64_kib_is_413_too(dtms) -> None:
    async def chunks():
        for _ in range(9):
            yield b" " * 8192

    response = await dtms.client.post("/dtms/trade/enable", content=chunks())
    assert response.status_code == 413


async def test_a_chunked_body_that_fits_is_read(dtms, good) -> None:
    async def chunks():
        text = json.dumps(good).encode()
        yield text[:20]
        yield text[20:]

    response = await dtms.client.post("/dtms/trade/enable", content=chunks())
    assert response.status_code == 200


async def test_the_key_is_asked_for_where_one_is_set(engine_at, good) -> None:
    async with engine_at(options=Options(api_key="k3y", rate_limit=False)) as running:
        await running.ready()
        post = running.client.post
        for headers in ({}, {"X-API-Key": "wrong"}, {"X-API-Key": "k3y2"}, {"X-API-Key": ""}):
            response = await post("/dtms/trade/enable", json=good, headers=headers)
            assert response.status_code == 401
        right = await post("/dtms/trade/enable", json=good, headers={"X-API-Key": "k3y"})
        assert right.status_code == 200
        assert (await running.client.delete("/dtms/trade/1001")).status_code == 401
        assert (await post("/dtms/initialize")).status_code == 401
        assert (await running.client.get("/dtms/trade/1001")).status_code == 200


async def test_the_rate_is_limited_per_client_with_retry_after(engine_at) -> None:
    async with engine_at(options=Options()) as running:
        await running.ready()
        responses = [await running.enable(ticket=n) for n in range(1, 16)]
        statuses = [r.status_code for r in responses]
        assert statuses[:10] == [200] * 10
        assert 429 in statuses
        refused = responses[statuses.index(429)]
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json()["error"] == "rate_limited"
        queries = [(await running.client.get("/dtms/status")).status_code for _ in range(40)]
        assert queries[:30] == [200] * 30
        assert 429 in queries


async def test_before_it_is_ready_registrations_are_503(engine_at) -> None:
    def slow(engine) -> None:
        engine.init_faults.delay_s = 0.3

    async with engine_at(before=slow) as running:
        for response in (
            await running.enable(),
            await running.enable(ticket="x"),
            await running.client.get("/dtms/trade/1"),
            await running.client.delete("/dtms/trade/1"),
            await running.client.get("/dtms/status"),
            await running.client.get("/dtms/actions"),
            await running.client.get("/dtms/engine"),
        ):
            assert response.status_code == 503
            assert response.json()["error"] == "not_ready"
            assert response.headers["Retry-After"] == "1"
        await running.ready()
        assert (await running.enable()).status_code == 200


async def test_a_store_that_cannot_persist_is_503_and_nothing_is_active(dtms) -> None:
    dtms.engine.store.faults.fails = True
    response = await dtms.enable()
    assert response.status_code == 503
    assert response.json()["error"] == "not_persisted"
    assert dtms.engine.ledger.all() == ()
    dtms.engine.store.faults.fails = False
    assert (await dtms.enable()).json()["already_registered"] is False


async def test_who_waits_for_a_commit_that_fails_tries_it_himself(dtms) -> None:
    dtms.engine.store.faults.fails = True
    responses = await asyncio.gather(*(dtms.enable() for _ in range(5)))
    assert {r.status_code for r in responses} == {503}
    assert dtms.engine.ledger.all() == ()


async def test_a_client_that_hangs_up_leaves_no_ticket_reserved(dtms, until) -> None:
    dtms.engine.store.faults.slow_s = 0.2
    asking = asyncio.create_task(dtms.enable())
    await until(lambda: 1001 in dtms.engine._reserved)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await until(lambda: dtms.engine.ledger.get(1001) is not None)
    assert (await dtms.enable()).json()["already_registered"] is True
