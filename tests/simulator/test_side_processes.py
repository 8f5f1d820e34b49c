"""The broker, the main API, and the clients DTMS asks them with."""

import asyncio

import httpx
import pytest

from simulator.broker import Broker
from simulator.broker_client import HttpBroker, HttpRegistry, NoData
from simulator.limits import CLIENTS_MAX, RateLimit
from simulator.main_api import HttpDtms, MainApi, Owners, Taken
from simulator.side_app import make_app
from simulator.side_process import parse

LAB = {"X-Lab-Token": "sesame"}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
POSITION = {
    "symbol": "XAUUSD",
    "direction": "BUY",
    "entry_price": 2350.0,
    "volume": 1.0,
    "stop_loss": None,
    "take_profit": None,
}


@pytest.fixture
async def broker():
    transport = httpx.ASGITransport(make_app(Broker().request, "sesame"))
    async with httpx.AsyncClient(transport=transport, base_url="http://broker") as client:
        yield client


@pytest.fixture
async def main_api(tmp_path):
    app = make_app(MainApi(Owners(tmp_path / "main"), None).request, "sesame")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://main") as client:
        yield client


async def told(broker) -> object:
    return (await broker.get("/positions")).json()


async def test_positions_are_opened_told_and_closed(broker) -> None:
    await broker.put("/_lab/positions/7", json=POSITION, headers=LAB)
    assert await told(broker) == {"positions": [{"ticket": 7, **POSITION}]}
    assert (await broker.get("/health")).json()["positions"] == 1
    closed = await broker.delete("/_lab/positions/7", headers=LAB)
    assert closed.json() == {"open": False, "known": True}
    assert await told(broker) == {"positions": []}


async def test_the_broker_behaves_as_it_is_told(broker) -> None:
    await broker.put("/_lab/positions", json={"7": POSITION}, headers=LAB)

    async def behave(**behaviour: object) -> httpx.Response:
        made = await broker.post("/_lab/behaviour", json=behaviour, headers=LAB)
        assert made.status_code == 200
        return await broker.get("/positions")

    assert (await behave(mode="down")).status_code == 503
    assert (await behave(mode="raises")).status_code == 500
    assert (await behave(mode="rubbish")).text == "<html>Bad Gateway</html>"
    assert (await behave(mode="no_data")).json() == {"positions": None}
    assert (await behave(mode="empty")).json() == {"positions": []}
    assert (await behave(mode="mismatch")).json()["positions"][0]["volume"] == 0.5
    assert (await behave(mode="slow", delay_s=0.01)).json()["positions"][0]["volume"] == 1.0
    assert (await behave(mode="ok")).json()["positions"][0]["ticket"] == 7


async def test_the_broker_counts_who_asks_and_is_answered() -> None:
    broker = Broker()
    await broker.request("POST", "/_lab/behaviour", {}, {"mode": "slow", "delay_s": 60.0})
    asking = asyncio.ensure_future(broker.request("GET", "/positions"))
    await asyncio.sleep(0)
    assert await broker.request("GET", "/_lab/asked") == (200, {"asked": 1, "answered": 0})
    asking.cancel()
    await broker.request("POST", "/_lab/behaviour", {}, {"mode": "ok"})
    await broker.request("GET", "/positions")
    assert await broker.request("GET", "/_lab/asked") == (200, {"asked": 2, "answered": 1})


async def test_the_brokers_control_plane_needs_the_token_and_sense(broker) -> None:
    assert (await broker.put("/_lab/positions/7", json=POSITION)).status_code == 401
    bad = await broker.post("/_lab/behaviour", json={"mode": "odd"}, headers=LAB)
    assert bad.status_code == 422


async def test_without_a_token_the_control_plane_is_closed() -> None:
    transport = httpx.ASGITransport(make_app(Broker().request, None))
    async with httpx.AsyncClient(transport=transport, base_url="http://broker") as client:
        response = await client.delete("/_lab/positions/7", headers={"X-Lab-Token": ""})
    assert response.status_code == 401


TAKEN = {"ticket": 7, "strategy_type": "trap"}


async def test_the_universal_manager_takes_a_trade_once(main_api) -> None:
    for _ in range(2):
        assert (await main_api.post("/universal/trades", json=TAKEN)).json() == {"accepted": True}
    assert (await main_api.get("/universal/trades")).json() == {"tickets": [7]}
    owner = (await main_api.get("/trade-registry/7")).json()
    assert owner == {
        "ticket": 7,
        "managed_by": "universal_sl_tp_manager",
        "breakeven_triggered": False,
    }
    assert (await main_api.get("/trade-registry/8")).json()["managed_by"] == ""
    assert (await main_api.get("/health")).status_code == 200


@pytest.mark.parametrize(
    ("mode", "status", "owned"),
    [("refuse", 409, []), ("fail", 500, []), ("fail-after-accept", 500, [7]), ("slow", 200, [7])],
)
async def test_the_universal_manager_behaves_as_it_is_told(main_api, mode, status, owned) -> None:
    behaviour = {"universal": mode, "delay_s": 0.01}
    await main_api.post("/_lab/behaviour", json=behaviour, headers=LAB)
    assert (await main_api.post("/universal/trades", json=TAKEN)).status_code == status
    assert (await main_api.get("/universal/trades")).json() == {"tickets": owned}


async def test_a_registry_that_is_down_is_503(main_api) -> None:
    await main_api.post("/_lab/behaviour", json={"registry": "down"}, headers=LAB)
    assert (await main_api.get("/trade-registry/7")).status_code == 503


async def test_a_trade_without_a_strategy_is_refused(main_api) -> None:
    assert (await main_api.post("/universal/trades", json={"ticket": 7})).status_code == 422


def test_what_the_manager_owns_outlives_a_kill(tmp_path, start) -> None:
    folder = str(tmp_path / "main")
    first = start("simulator.main_api", "--data-dir", folder)
    httpx.post(f"{first.url}/universal/trades", json=TAKEN, trust_env=False)
    first.kill()
    second = start("simulator.main_api", "--data-dir", folder)
    assert httpx.get(f"{second.url}/universal/trades", trust_env=False).json() == {"tickets": [7]}
    assert second.stop() == 0


async def test_the_registry_asks_dtms_for_the_rest(tmp_path, start, simulate, good) -> None:
    dtms = simulate()
    dtms.until("ready")
    main = start("simulator.main_api", "--dtms-url", dtms.url)

    async def owner(query: str = "") -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(f"{main.url}/trade-registry/1001{query}")

    assert (await owner()).json()["managed_by"] == ""
    httpx.post(f"{dtms.url}/dtms/trade/enable", json=good, trust_env=False)
    assert (await owner()).json()["managed_by"] == "dtms_manager"
    assert (await owner("?except=dtms_manager")).json()["managed_by"] == ""
    httpx.delete(f"{dtms.url}/dtms/trade/1001", trust_env=False)
    assert (await owner()).json()["managed_by"] == ""
    registry = HttpRegistry(main.url)
    assert await registry.is_owned_elsewhere(1001) is False
    dtms.kill()
    assert (await owner()).status_code == 503
    httpx.post(f"{main.url}/universal/trades", json=TAKEN | {"ticket": 5}, trust_env=False)
    assert await registry.is_owned_elsewhere(5) is True
    main.kill()
    assert await registry.is_owned_elsewhere(5) is None


async def test_the_registry_cannot_tell_while_dtms_is_not_ready(start, simulate) -> None:
    slow = '[{"fault": "init-slow", "delay_s": 30}]'
    dtms = simulate("--lab-faults", slow)
    main = start("simulator.main_api", "--dtms-url", dtms.url)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{main.url}/trade-registry/1")).status_code == 503


async def test_positions_are_read_over_http(start) -> None:
    process = start("simulator.broker")
    broker = HttpBroker(process.url)
    assert await broker.positions() == {}
    httpx.put(f"{process.url}/_lab/positions/7", json=POSITION, headers=LAB, trust_env=False)
    assert (await broker.positions())[7].entry == 2350.0
    for mode in ("down", "raises", "rubbish", "no_data"):
        httpx.post(
            f"{process.url}/_lab/behaviour", json={"mode": mode}, headers=LAB, trust_env=False
        )
        with pytest.raises(NoData):
            await broker.positions()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n{",
        b'HTTP/1.1 200 OK\r\n\r\n{"positions": [{"ticket": "x"}]}',
        b'HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{"positions": []}',
        CHUNKED + b'11\r\n{"positions": []}\r\n',
        CHUNKED + b'11\r\n{"positions": []',
        CHUNKED + b'zz\r\n{"positions": []}\r\n0\r\n\r\n',
        CHUNKED + b'{"positions": []}',
    ],
)
async def test_an_answer_that_says_nothing_is_no_data(answer) -> None:
    async def reply(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        with pytest.raises(NoData):
            await HttpBroker(url).positions()


async def test_an_answer_in_chunks_is_read() -> None:
    """uvicorn sends chunks to HTTP/1.0 as well, where the application tells no length."""

    async def reply(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED + b'd\r\n{"positions":\r\n4;x=1\r\n []}\r\n0\r\n\r\n')
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        assert await HttpBroker(url).positions() == {}


async def test_a_broker_that_hangs_is_no_data() -> None:
    async def hang(reader, writer):
        await reader.read()
        writer.close()
        hung_up.set()

    hung_up = asyncio.Event()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.raises(NoData, match="TimeoutError"):
        await HttpBroker(url, timeout_s=0.05).positions()
    await asyncio.wait_for(hung_up.wait(), 5)
    server.close()
    await server.wait_closed()


def test_flags_are_read_and_wrong_ones_end_the_process() -> None:
    assert parse("x", ["--port", "7"]).port == 7
    with pytest.raises(SystemExit) as end:
        parse("x", ["--prot", "7"])
    assert end.value.code == 2


def test_a_rate_limit_is_per_client_and_refills() -> None:
    limit = RateLimit(2.0)
    assert [limit.wait_s("a", 0.0) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert limit.wait_s("b", 0.0) == 0.0
    assert limit.wait_s("a", 0.5) == 0.0


def test_clients_remembered_are_bounded() -> None:
    limit = RateLimit(1.0)
    for n in range(CLIENTS_MAX + 10):
        limit.wait_s(str(n), 0.0)
    assert len(limit._buckets) == CLIENTS_MAX


async def test_who_manages_is_asked_of_a_dtms_that_answers_in_every_way() -> None:
    replies = {
        b"200 OK": b'{"trade_info": {"protection_active": true}}',
        b"404 Not Found": b"{}",
        b"500 Broken": b"{}",
        b"200 Rubbish": b'{"trade_info": null}',
        b"200 Garbage": b"\xff",
    }
    reply = b"200 OK"

    async def dtms(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        body = replies[reply]
        writer.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (reply, len(body), body))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(dtms, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    app = make_app(MainApi(Owners(None), HttpDtms(url)).request, "sesame")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://main") as client:
        assert (await client.get("/trade-registry/7")).json()["managed_by"] == "dtms_manager"
        reply = b"404 Not Found"
        assert (await client.get("/trade-registry/7")).json()["managed_by"] == ""
        for reply in (b"500 Broken", b"200 Rubbish", b"200 Garbage"):  # noqa: B007 - read by dtms
            assert (await client.get("/trade-registry/7")).status_code == 503
        alone = {"registry": "without_dtms"}
        await client.post("/_lab/behaviour", json=alone, headers=LAB)
        assert (await client.get("/trade-registry/7")).json()["managed_by"] == ""
        await client.post("/_lab/behaviour", json={"registry": "ok"}, headers=LAB)
        server.close()
        await server.wait_closed()
        assert (await client.get("/trade-registry/7")).status_code == 503


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nowhere"),
        ("PUT", "/positions"),
        ("PUT", "/_lab/positions/x"),
        ("PUT", "/_lab/positions/" + "9" * 20),
        ("GET", "/trade-registry/\u00b2"),
        ("POST", "/health"),
    ],
)
async def test_what_a_side_process_does_not_know_is_404(method, path) -> None:
    for asked in (Broker().request, MainApi(Owners(None), None).request):
        status, body = await asked(method, path, {}, b"{}")
        assert (status, body["error"]) == (404, "not_found")


async def test_a_broker_is_asked_without_http_with_objects_or_json() -> None:
    broker = Broker()
    assert await broker.request("PUT", "/_lab/positions/7", {}, POSITION) == (200, {"open": True})
    replaced = await broker.request("PUT", "/_lab/positions", {}, {8: POSITION})
    assert replaced == (200, {"positions": 1})
    _status, body = await broker.request("GET", "/positions")
    assert body == {"positions": [{"ticket": 8, **POSITION}]}
    for bad in (b'{"mode": "odd"}', {"mode": "odd"}, b"{", b'{"mode": "\xff"}'):
        assert (await broker.request("POST", "/_lab/behaviour", {}, bad))[0] == 422
    assert broker.behaviour.mode == "ok"


class TableOwners:
    """Owners that are kept elsewhere, and take a moment."""

    def __init__(self) -> None:
        self.tickets: set[int] = set()

    async def take(self, trade: Taken) -> None:
        await asyncio.sleep(0)
        self.tickets.add(trade.ticket)


class TableDtms:
    """Protects odd tickets; cannot tell of 100 and above."""

    async def protects(self, ticket: int) -> bool | None:
        return ticket % 2 == 1 if ticket < 100 else None


async def test_owners_and_dtms_are_whatever_was_handed_in() -> None:
    owners = TableOwners()
    main_api = MainApi(owners, TableDtms())

    async def managed_by(ticket: int, **query: str) -> object:
        status, body = await main_api.request("GET", f"/trade-registry/{ticket}", query)
        return body["managed_by"] if status == 200 else status

    assert await main_api.request("POST", "/universal/trades", {}, TAKEN) == (
        200,
        {"accepted": True},
    )
    assert owners.tickets == {7}
    assert await managed_by(7) == "universal_sl_tp_manager"
    assert await managed_by(9) == "dtms_manager"
    assert await managed_by(9, **{"except": "dtms_manager"}) == ""
    assert await managed_by(8) == ""
    assert await managed_by(0) == ""
    assert await managed_by(100) == 503


async def test_head_is_answered_where_get_is(broker) -> None:
    assert (await broker.head("/positions")).status_code == 200
    assert (await broker.head("/nowhere")).status_code == 404
