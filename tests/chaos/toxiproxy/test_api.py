"""The API, route by route: the embedded server answers what the real one does."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from toxiproxy.api import APIConsumer

from chaos.toxiproxy.control import Control
from chaos.toxiproxy.embedded import EmbeddedToxiproxy
from tests.chaos.toxiproxy.conftest import Toxiproxy
from tests.chaos.toxiproxy.seen import Backend, converse, laid


@pytest.fixture
async def api(toxiproxy: Toxiproxy) -> AsyncIterator[httpx.AsyncClient]:
    client = toxiproxy.client
    async with httpx.AsyncClient(base_url=f"http://{client.host}:{client.port}") as http:
        yield http


P = {"name": "p", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9"}
LATENCY = {"name": "l", "type": "latency", "attributes": {"latency": 5, "jitter": 1}}


async def test_a_proxy_is_made_shown_changed_and_deleted(api: httpx.AsyncClient) -> None:
    made = await api.post("/proxies", json=P)
    assert made.status_code == 201
    told = made.json()
    assert told.pop("Logger", None) in (None, {})
    port = int(told.pop("listen").rpartition(":")[2])
    assert told == {"name": "p", "upstream": "127.0.0.1:9", "enabled": True, "toxics": []}
    assert (await api.get("/proxies/p")).json()["listen"] == f"127.0.0.1:{port}"
    assert list((await api.get("/proxies")).json()) == ["p"]
    for method in ("POST", "PATCH"):
        changed = await api.request(method, "/proxies/p", json={"enabled": method == "PATCH"})
        assert changed.status_code == 200
        assert changed.json()["enabled"] is (method == "PATCH")
    moved = (await api.patch("/proxies/p", json={"upstream": "127.0.0.1:8"})).json()
    assert (moved["upstream"], moved["listen"]) == ("127.0.0.1:8", f"127.0.0.1:{port}")
    gone = await api.delete("/proxies/p")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await api.get("/proxies")).json() == {}


async def test_a_toxic_is_made_shown_changed_and_deleted(api: httpx.AsyncClient) -> None:
    await api.post("/proxies", json=P)
    made = await api.post("/proxies/p/toxics", json=LATENCY)
    assert made.status_code == 200
    assert made.json() == {
        "attributes": {"latency": 5, "jitter": 1},
        "name": "l",
        "type": "latency",
        "stream": "downstream",
        "toxicity": 1,
    }
    assert (await api.get("/proxies/p/toxics/l")).json() == made.json()
    for method in ("POST", "PATCH"):
        said = {"attributes": {"latency": 9}, "toxicity": 0.5}
        changed = await api.request(method, "/proxies/p/toxics/l", json=said)
        assert changed.json()["attributes"] == {"latency": 9, "jitter": 1}
        assert changed.json()["toxicity"] == 0.5
    assert [toxic["name"] for toxic in (await api.get("/proxies/p/toxics")).json()] == ["l"]
    assert (await api.get("/proxies/p")).json()["toxics"] == [changed.json()]
    assert (await api.delete("/proxies/p/toxics/l")).status_code == 204
    assert (await api.get("/proxies/p/toxics")).json() == []


async def test_a_toxic_is_named_after_its_type_and_upstream_ones_stand_first(
    api: httpx.AsyncClient,
) -> None:
    await api.post("/proxies", json=P)
    await api.post("/proxies/p/toxics", json={"type": "timeout"})
    await api.post("/proxies/p/toxics", json={"type": "bandwidth", "stream": "upstream"})
    names = [toxic["name"] for toxic in (await api.get("/proxies/p/toxics")).json()]
    assert names == ["bandwidth_upstream", "timeout_downstream"]


@pytest.mark.parametrize(
    ("type_", "attributes"),
    [
        ("latency", {"latency": 0, "jitter": 0}),
        ("bandwidth", {"rate": 0}),
        ("slow_close", {"delay": 0}),
        ("timeout", {"timeout": 0}),
        ("reset_peer", {"timeout": 0}),
        ("limit_data", {"bytes": 0}),
    ],
)
async def test_what_is_not_said_of_a_toxic_is_0(
    api: httpx.AsyncClient, type_: str, attributes: dict[str, int]
) -> None:
    await api.post("/proxies", json=P)
    made = await api.post("/proxies/p/toxics", json={"type": type_, "attributes": {"x": None}})
    assert made.json()["attributes"] == attributes


async def test_populate_keeps_what_is_the_same_and_replaces_the_rest(
    api: httpx.AsyncClient,
) -> None:
    first = await api.post("/populate", json=[P, {**P, "name": "q", "enabled": False}])
    assert first.status_code == 201
    told = first.json()["proxies"]
    assert [(proxy["name"], proxy["enabled"]) for proxy in told] == [("p", True), ("q", False)]
    await api.post("/proxies/p/toxics", json=LATENCY)
    same = {**P, "listen": told[0]["listen"]}
    again = await api.post("/populate", json=[same])
    assert [toxic["name"] for toxic in again.json()["proxies"][0]["toxics"]] == ["l"]
    other = await api.post("/populate", json=[{**same, "upstream": "127.0.0.1:7"}])
    assert other.json()["proxies"][0]["toxics"] == []
    assert sorted((await api.get("/proxies")).json()) == ["p", "q"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "/proxies/no", None, 404, "proxy not found"),
        ("DELETE", "/proxies/no", None, 404, "proxy not found"),
        ("POST", "/proxies/no", {}, 404, "proxy not found"),
        ("GET", "/proxies/no/toxics", None, 404, "proxy not found"),
        ("GET", "/proxies/p/toxics/no", None, 404, "toxic not found"),
        ("POST", "/proxies/p/toxics/no", {}, 404, "toxic not found"),
        ("DELETE", "/proxies/p/toxics/no", None, 404, "toxic not found"),
        ("POST", "/proxies", P, 409, "proxy already exists"),
        ("POST", "/proxies", {"upstream": "127.0.0.1:9"}, 400, "missing required field: name"),
        ("POST", "/proxies", {"name": "q"}, 400, "missing required field: upstream"),
        ("POST", "/proxies/p/toxics", {"type": "no"}, 400, "invalid toxic type"),
        (
            "POST",
            "/proxies/p/toxics",
            {"type": "latency", "stream": "no"},
            400,
            "stream was invalid, can be either upstream or downstream",
        ),
        ("POST", "/proxies/p/toxics", LATENCY, 409, "toxic already exists"),
        (
            "POST",
            "/populate",
            [{"name": "q"}],
            400,
            "missing required field: upstream at proxy 1",
        ),
    ],
)
async def test_refusals(
    api: httpx.AsyncClient, method: str, path: str, body: object, status: int, error: str
) -> None:
    await api.post("/proxies", json=P)
    await api.post("/proxies/p/toxics", json=LATENCY)
    before = (await api.get("/proxies")).json()
    answer = await api.request(method, path, json=body)
    assert answer.status_code == status
    told = answer.json()
    assert (told["error"], told["status"]) == (error, status)
    assert (await api.get("/proxies")).json() == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/proxies", b"{"),
        ("/proxies", b"[]"),
        ("/proxies", b'{"name": 1}'),
        ("/proxies/p/toxics", b'{"type": "latency", "attributes": {"latency": "5"}}'),
        ("/proxies/p/toxics", b'{"type": "latency", "attributes": {"latency": 1.5}}'),
        ("/proxies/p/toxics", b'{"type": "latency", "attributes": []}'),
        ("/populate", b'{"proxies": 1}'),
    ],
)
async def test_what_cannot_be_read_is_400(api: httpx.AsyncClient, path: str, body: bytes) -> None:
    await api.post("/proxies", json=P)
    answer = await api.post(path, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("bad request body: ")


async def test_a_port_that_is_taken_is_told(api: httpx.AsyncClient, backend: Backend) -> None:
    answer = await api.post("/proxies", json={**P, "listen": f"127.0.0.1:{backend.port}"})
    assert answer.status_code == 500
    assert "in use" in answer.json()["error"].lower()
    assert (await api.get("/proxies")).json() == {}


async def test_other_paths_methods_and_browsers(api: httpx.AsyncClient) -> None:
    assert (await api.get("/no")).status_code == 404
    assert (await api.put("/proxies")).status_code == 405
    browser = await api.get("/proxies", headers={"user-agent": "Mozilla/5.0"})
    assert browser.status_code == 403
    assert (await api.get("/version")).json().keys() == {"version"}


async def test_reset_lifts_every_toxic(
    api: httpx.AsyncClient, control: Control, backend: Backend
) -> None:
    state = await laid(control, backend)
    await api.post("/proxies/p/toxics", json={"type": "timeout"})
    assert (await api.post("/reset")).status_code == 204
    assert (await converse(state, size=200)).data == backend.answer
    assert (await api.get("/proxies/p/toxics")).json() == []


async def test_toxiproxys_own_python_client_drives_it(
    toxiproxy: Toxiproxy, backend: Backend
) -> None:
    import asyncio

    from toxiproxy import Toxiproxy as Driver

    def drive() -> None:
        driver = Driver()
        assert driver.running()
        proxy = driver.create(f"127.0.0.1:{backend.port}", "drv")
        proxy.add_toxic(type="latency", attributes={"latency": 10})
        assert proxy.get_toxic("latency_downstream").attributes["latency"] == 10
        with proxy.down():
            assert not driver.get_proxy("drv").enabled
        assert driver.get_proxy("drv").enabled
        assert proxy.destroy_toxic("latency_downstream")
        driver.reset()
        driver.destroy_all()
        assert driver.proxies() == {}

    with globally(toxiproxy.client.port):
        await asyncio.to_thread(drive)


@contextlib.contextmanager
def globally(port: int):  # type: ignore[no-untyped-def]
    """That client knows one server for all of a process."""
    before = APIConsumer.host, APIConsumer.port
    APIConsumer.host, APIConsumer.port = "127.0.0.1", port
    try:
        yield
    finally:
        APIConsumer.host, APIConsumer.port = before


# What the embedded server does otherwise than the real one, which crashes, or harms.


@pytest.fixture
async def embedded() -> AsyncIterator[httpx.AsyncClient]:
    async with (
        EmbeddedToxiproxy() as server,
        httpx.AsyncClient(base_url=server.url) as http,
    ):
        yield http


@pytest.mark.parametrize(
    "said",
    [
        {"type": "slicer", "attributes": {"average_size": 0}},
        {"type": "slicer", "attributes": {"average_size": 5, "size_variation": 5}},
        {"type": "bandwidth", "attributes": {"rate": -1}},
        {"type": "latency", "attributes": {"latency": -1}},
        {"type": "latency", "attributes": {"latency": 2**62}},
        {"type": "latency", "toxicity": 1.5},
        {"type": "latency", "name": "n" * 201},
    ],
)
async def test_what_makes_no_sense_is_refused(
    embedded: httpx.AsyncClient, said: dict[str, object]
) -> None:
    await embedded.post("/proxies", json=P)
    answer = await embedded.post("/proxies/p/toxics", json=said)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("bad request body: ")
    assert (await embedded.get("/proxies/p/toxics")).json() == []


@pytest.mark.parametrize(
    "said",
    [
        {"listen": "0.0.0.0:0"},
        {"listen": "192.0.2.1:80"},
        {"listen": "[::1]:0"},
        {"upstream": "192.0.2.1:80"},
        {"upstream": "example.com:80"},
        {"upstream": "127.0.0.1"},
        {"upstream": "127.0.0.1:0"},
        {"listen": "127.0.0.1:99999"},
    ],
)
async def test_only_loopback_unless_allowed(
    embedded: httpx.AsyncClient, said: dict[str, str]
) -> None:
    answer = await embedded.post("/proxies", json={**P, **said})
    assert answer.status_code == 400
    assert next(iter(said)) in answer.json()["error"]


async def test_a_reset_leaves_disabled_proxies_disabled(embedded: httpx.AsyncClient) -> None:
    await embedded.post("/proxies", json={**P, "enabled": False})
    await embedded.post("/reset")
    assert (await embedded.get("/proxies/p")).json()["enabled"] is False


async def test_a_body_without_end_is_refused(embedded: httpx.AsyncClient) -> None:
    answer = await embedded.post("/proxies", content=b" " * (1024 * 1024 + 1))
    assert answer.status_code == 400
