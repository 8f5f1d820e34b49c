"""Toxics that know requests, through the embedded server's API."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from chaos.toxiproxy.embedded import EmbeddedToxiproxy
from chaos.toxiproxy.http_toxics import HTTP_TYPES


@pytest.fixture
async def api() -> AsyncIterator[httpx.AsyncClient]:
    async with (
        EmbeddedToxiproxy(seed=3) as server,
        httpx.AsyncClient(base_url=server.url) as http,
    ):
        yield http


@pytest.fixture
async def front(api: httpx.AsyncClient, server) -> AsyncIterator[httpx.AsyncClient]:
    """A client of what is behind the proxy `p`."""
    said = {"name": "p", "upstream": f"127.0.0.1:{server.port}"}
    listen = (await api.post("/proxies", json=said)).json()["listen"]
    async with httpx.AsyncClient(base_url=f"http://{listen}", timeout=1) as http:
        yield http


async def enable(front: httpx.AsyncClient, ticket: int = 1001) -> httpx.Response:
    return await front.post("/dtms/trade/enable", json={"ticket": ticket})


async def add(api: httpx.AsyncClient, **said: object) -> httpx.Response:
    return await api.post("/proxies/p/toxics", json=said)


async def test_an_answer_is_lost_after_the_server_gave_it(api, front, server) -> None:
    made = await add(api, type="drop_answer", attributes={"how": "reset"})
    assert made.json() == {
        "attributes": {"how": "reset", "op": "enable"},
        "name": "drop_answer_downstream",
        "type": "drop_answer",
        "stream": "downstream",
        "toxicity": 1.0,
    }
    with pytest.raises(httpx.ReadError):
        await enable(front)
    assert server.tickets == [1001]
    await api.delete("/proxies/p/toxics/drop_answer_downstream")
    assert (await enable(front)).status_code == 200


async def test_an_answer_in_the_servers_place(api, front, server) -> None:
    await add(api, type="answer_for", attributes={"status": 503, "retry_after_s": 1})
    refused = await enable(front)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert server.tickets == []
    await api.patch("/proxies/p/toxics/answer_for_downstream", json={"attributes": {"status": 500}})
    assert (await enable(front)).status_code == 500


async def test_toxicity_is_the_share_of_the_requests_by_seed(api, front, server) -> None:
    await add(api, type="answer_for", attributes={"status": 503}, toxicity=0.5)
    first = [(await enable(front, ticket)).status_code for ticket in range(40)]
    assert 8 <= first.count(503) <= 32
    await api.post("/reset")
    assert (await enable(front)).status_code == 200
    await add(api, type="answer_for", attributes={"status": 503}, toxicity=0)
    assert (await enable(front)).status_code == 200


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"type": "drop_answer", "attributes": {"how": "fax"}}, "'fax'"),
        ({"type": "drop_answer", "attributes": {"nonsense": 1}}, "no field 'nonsense'"),
        ({"type": "drop_answer", "attributes": {"link": "a->b"}}, "link is no attribute"),
        ({"type": "answer_for", "attributes": {"status": 99}}, "99"),
        ({"type": "answer_for", "toxicity": 2.0, "attributes": {"status": 500}}, "0 to 1, not 2.0"),
    ],
)
async def test_what_makes_no_sense_is_refused(api, front, said, error: str) -> None:
    answer = await add(api, **said)
    assert answer.status_code == 400
    assert error in answer.json()["error"]
    assert (await api.get("/proxies/p/toxics")).json() == []


def test_there_is_one_for_every_fault_on_requests() -> None:
    assert sorted(HTTP_TYPES) == [
        "answer_for", "delay_attempt", "drop_answer", "drop_request", "duplicate_request",
        "fail_first", "garbage", "trickle", "truncate", "wrong_echo",
    ]  # fmt: skip
