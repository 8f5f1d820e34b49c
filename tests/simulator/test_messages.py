"""The API without HTTP says what the API over HTTP says, and is cheap to ask."""

import asyncio
import json
import math

import msgspec
import pytest

from simulator.messages import Messages, Options
from simulator.request import EnableRequest, Problem, read_enable, read_enable_object

VARIES = {"timestamp", "uptime", "correlation_id", "last_check", "registered_at", "last_updated"}


@pytest.fixture
def messages(dtms) -> Messages:
    return Messages(dtms.engine, Options(rate_limit=False))


def steady(body: object) -> object:
    """The body without what changes from one asking to the next."""
    if isinstance(body, dict):
        return {name: steady(value) for name, value in body.items() if name not in VARIES}
    return [steady(value) for value in body] if isinstance(body, list) else body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/health"),
        ("PUT", "/health"),
        ("GET", "/dtms/health"),
        ("GET", "/dtms/status"),
        ("GET", "/dtms/actions"),
        ("GET", "/dtms/engine"),
        ("POST", "/dtms/initialize"),
        ("GET", "/dtms/initialize"),
        ("GET", "/dtms/trade/enable"),
        ("GET", "/dtms/trade/1001"),
        ("GET", "/dtms/trade/2"),
        ("GET", "/dtms/trade/x"),
        ("PATCH", "/dtms/trade/1001"),
        ("DELETE", "/dtms/trade/2"),
        ("GET", "/nowhere"),
        ("POST", "/dtms/trade/enable"),
    ],
)
async def test_every_route_says_the_same_as_over_http(dtms, messages, method, path) -> None:
    await dtms.enable()
    reply = await messages.request(method, path)
    over_http = await dtms.client.request(method, path)
    assert reply.status == over_http.status_code
    assert steady(json.loads(msgspec.json.encode(reply.body))) == steady(over_http.json())
    assert over_http.headers.get("Retry-After") == (
        None if reply.retry_after_s is None else str(reply.retry_after_s)
    )


async def test_a_registration_is_taken_as_a_request_a_problem_or_bytes(messages, good) -> None:
    request = read_enable_object(good)
    first = await messages.enable(request)
    assert (first.status, first.body["already_registered"]) == (200, False)
    again = await messages.enable(json.dumps(good).encode())
    assert (again.status, again.body["already_registered"]) == (200, True)
    refused = await messages.enable(read_enable_object({}), correlation_id="abc")
    assert refused.status == 422
    assert set(refused.body) == {"error", "message", "details", "correlation_id"}
    assert refused.body["correlation_id"] == "abc"


async def test_a_lookup_needs_no_loop(dtms, messages) -> None:
    await dtms.enable()
    assert messages.lookup(1001) == await messages.request("GET", "/dtms/trade/1001")
    for ticket, status in ((2, 404), (0, 422), (2**63, 422)):
        reply = messages.lookup(ticket)
        assert reply.status == status
        assert reply == await messages.request("GET", f"/dtms/trade/{ticket}")


async def test_health_is_asked_without_looking_for_its_route(dtms, messages) -> None:
    assert (await messages.dtms_health()).body["ready"] is True
    dtms.engine.shut_down()
    reply = await messages.dtms_health()
    assert (reply.status, reply.retry_after_s) == (503, 1)
    assert messages.lookup(1).body["error"] == "not_ready"


async def test_every_door_asks_for_the_key_where_something_changes(dtms, good) -> None:
    messages = Messages(dtms.engine, Options(api_key="k3y", rate_limit=False))
    request = read_enable_object(good)
    assert (await messages.enable(request)).status == 401
    assert (await messages.enable(request, key=b"k3y")).status == 200
    assert (await messages.request("DELETE", "/dtms/trade/1001")).status == 401
    assert messages.lookup(1001).status == 200


async def test_every_door_counts_against_the_same_rate_per_client(dtms) -> None:
    messages = Messages(dtms.engine, Options(), monotonic=lambda: 0.0)
    for _ in range(10):
        assert messages.lookup(1, client="a").status == 404
        assert (await messages.dtms_health(client="a")).status == 200
        assert (await messages.request("GET", "/", client="a")).status == 200
    for reply in (
        messages.lookup(1, client="a", correlation_id="x"),
        await messages.dtms_health(client="a", correlation_id="x"),
        await messages.request("GET", "/", client="a", correlation_id="x"),
    ):
        assert (reply.status, reply.retry_after_s) == (429, 1)
        assert reply.body["correlation_id"] == "x"
    assert messages.lookup(1, client="b").status == 404
    statuses = [(await messages.enable(b"", client="a")).status for _ in range(11)]
    assert statuses == [400] * 10 + [429]


async def test_of_two_at_once_one_is_new(messages, good) -> None:
    request = read_enable_object(good)
    replies = await asyncio.gather(messages.enable(request), messages.enable(request))
    assert sorted(reply.body["already_registered"] for reply in replies) == [False, True]


async def test_head_is_allowed_wherever_get_is(messages) -> None:
    assert (await messages.request("HEAD", "/")).status == 200
    assert (await messages.request("HEAD", "/dtms/initialize")).status == 405


async def test_pages_are_routes_like_others(dtms) -> None:
    messages = Messages(dtms.engine, Options(rate_limit=False), pages={"/page": lambda: b"words"})
    assert (await messages.request("GET", "/page")).body == b"words"
    assert (await messages.request("POST", "/page")).status == 405


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"entry": 2350},
        {"stop_loss": None},
        {"unknown": [[]]},
        {"ticket": "1001"},
        {"ticket": 1001.5},
        {"ticket": True},
        {"ticket": None},
        {"ticket": 0},
        {"ticket": 2**63},
        {"symbol": ""},
        {"symbol": "a\x00b"},
        {"symbol": 5},
        {"direction": "buy"},
        {"entry": 0},
        {"entry": "2350"},
        {"entry": False},
        {"volume": 1000.01},
        {"stop_loss": 2360.0},
        {"take_profit": 2340.0},
        {"take_profit": []},
    ],
)
def test_an_object_is_read_as_strictly_as_bytes(good, changed) -> None:
    payload = good | changed
    assert read_enable_object(payload) == read_enable(json.dumps(payload).encode())


@pytest.mark.parametrize("payload", [None, [1], "text", {}, {"ticket": 1}])
def test_what_is_no_registration_is_refused_in_the_same_words(payload) -> None:
    told = read_enable_object(payload)
    assert isinstance(told, Problem)
    assert told == read_enable(json.dumps(payload).encode())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["entry", "volume", "stop_loss", "take_profit"])
def test_numbers_that_are_not_finite_are_refused_as_objects_too(good, field, value) -> None:
    told = read_enable_object(good | {field: value})
    assert isinstance(told, Problem)
    assert told.details == {"field": field}


def test_a_lone_surrogate_is_refused_as_an_object_too(good) -> None:
    assert isinstance(read_enable_object(good | {"symbol": "\ud800"}), Problem)


def test_a_good_object_is_a_request(good) -> None:
    assert isinstance(read_enable_object(good), EnableRequest)
