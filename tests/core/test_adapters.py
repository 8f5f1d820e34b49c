"""Both adapters on real sockets, and what httpx puts on the wire as respx sees it."""

import asyncio
import json
import socket
import struct
from datetime import UTC, datetime

import httpx
import pytest
import respx

from core.aiohttp_api import AiohttpApi
from core.errors import NotSent, Unanswered
from core.httpx_api import HttpxApi
from core.payload import enable_payload
from core.port import BODY_BYTES_MAX, UNDECODABLE, Answer

ADAPTERS = {"httpx": HttpxApi, "aiohttp": AiohttpApi}


def now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=ADAPTERS)
async def adapter(request):
    """Makes ports of one kind; all are closed after the test."""
    made = []

    def make(url: str, **given: object):
        api = ADAPTERS[request.param](url, now=now, **given)
        made.append(api)
        return api

    yield make
    for api in made:
        await api.aclose()


def response(body: bytes, status: str = "200 OK", *headers: bytes) -> bytes:
    head = b"HTTP/1.1 " + status.encode() + b"\r\ncontent-length: %d\r\n" % len(body)
    return head + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


def always(reply: bytes, read_request, then=None):
    """A handler that answers every request with `reply`."""

    async def handle(reader, writer):
        while not reader.at_eof():
            await read_request(reader)
            writer.write(reply)
            await writer.drain()
            if then is not None:
                await then(writer)

    return handle


async def enable(api, trade, timeout_s: float = 2.0) -> Answer:
    return await api.enable(enable_payload(trade), timeout_s=timeout_s, correlation_id="c-1")


async def test_the_request_is_what_the_contract_says(adapter, serve, read_request, trade) -> None:
    seen = []

    async def handle(reader, writer):
        while not reader.at_eof():
            seen.append(await read_request(reader))
            writer.write(response(b"{}"))

    async with serve(handle) as url:
        api = adapter(url, api_key="k3y")
        await enable(api, trade)
        await api.lookup(7, timeout_s=2, correlation_id="c-1")
        await api.health(timeout_s=2)
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /dtms/trade/enable HTTP/1.1")
    lines = {line.lower() for line in head.split(b"\r\n")}
    assert {b"x-correlation-id: c-1", b"x-api-key: k3y"} <= lines
    assert json.loads(body) == enable_payload(trade)
    assert seen[1].startswith(b"GET /dtms/trade/7 HTTP/1.1")
    assert seen[2].startswith(b"GET /dtms/health HTTP/1.1")


async def test_an_answer_is_told_whole(adapter, serve, read_request, trade) -> None:
    reply = response(b'{"a": 1}', "429 Too Many", b"Retry-After: 7")
    async with serve(always(reply, read_request)) as url:
        assert await enable(adapter(url), trade) == Answer(429, {"a": 1}, 7.0)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_is_undecodable(
    adapter, serve, read_request, trade, body
) -> None:
    async with serve(always(response(body), read_request)) as url:
        assert (await enable(adapter(url), trade)).body is UNDECODABLE


async def test_a_refused_connection_was_not_sent(adapter, closed_port, trade) -> None:
    with pytest.raises(NotSent):
        await enable(adapter(f"http://127.0.0.1:{closed_port}"), trade)


async def test_no_answer_in_time_is_unanswered(adapter, serve, read_request, trade) -> None:
    async def hang(reader, _writer):
        await reader.read()

    async with serve(hang) as url:
        with pytest.raises(Unanswered):
            await enable(adapter(url), trade, timeout_s=0.1)


async def test_a_trickled_answer_ends_with_the_time_out(
    adapter, serve, read_request, trade
) -> None:
    async def trickle(reader, writer):
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.03)

    async with serve(trickle) as url:
        began = asyncio.get_running_loop().time()
        with pytest.raises(Unanswered):
            await enable(adapter(url), trade, timeout_s=0.2)
        assert asyncio.get_running_loop().time() - began < 1.0


async def test_a_reset_is_unanswered(adapter, serve, read_request, trade) -> None:
    async def reset(reader, writer):
        await read_request(reader)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async with serve(reset) as url:
        with pytest.raises(Unanswered):
            await enable(adapter(url), trade)


async def test_a_look_up_that_is_reset_is_sent_once(adapter, serve, read_request) -> None:
    """What is tried again, and when, the registrar decides: no library behind its back."""
    seen = []

    async def reset(reader, writer):
        seen.append(await read_request(reader))
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async with serve(reset) as url:
        api = adapter(url)
        with pytest.raises(Unanswered):
            await api.lookup(1001, timeout_s=2.0, correlation_id="c")
        with pytest.raises(Unanswered):
            await api.health(timeout_s=2.0)
    assert len(seen) == 2


@pytest.mark.parametrize(
    "reply",
    [b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{", b"HTTP/1.1 2", b"rubbish\r\n\r\n", b""],
)
async def test_an_answer_that_is_cut_off_is_unanswered(
    adapter, serve, read_request, trade, reply
) -> None:
    async def cut(reader, writer):
        await read_request(reader)
        writer.write(reply)

    async with serve(cut) as url:
        with pytest.raises(Unanswered):
            await enable(adapter(url), trade)


async def test_an_endless_answer_is_unanswered(adapter, serve, read_request, trade) -> None:
    reply = response(b" " * (BODY_BYTES_MAX + 1))
    async with serve(always(reply, read_request)) as url:
        with pytest.raises(Unanswered, match="longer"):
            await enable(adapter(url), trade)


async def test_a_redirect_is_not_followed(adapter, serve, read_request, trade) -> None:
    reply = response(b"{}", "307 Elsewhere", b"Location: http://127.0.0.1:1/")
    async with serve(always(reply, read_request)) as url:
        assert (await enable(adapter(url), trade)).status == 307


async def test_a_starved_pool_is_not_sent(adapter, serve, trade) -> None:
    async def hang(reader, _writer):
        await reader.read()

    async with serve(hang) as url:
        api = adapter(url, connections=1)
        first = asyncio.create_task(enable(api, trade, timeout_s=1.0))
        await asyncio.sleep(0.05)
        with pytest.raises(NotSent):
            await enable(api, trade, timeout_s=0.1)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_connections_are_kept_and_at_most_ten(adapter, serve, read_request, trade) -> None:
    made, there = [], set()
    most = 0

    async def handle(reader, writer):
        nonlocal most
        made.append(writer)
        there.add(writer)
        most = max(most, len(there))
        try:
            while not reader.at_eof():
                await read_request(reader)
                await asyncio.sleep(0.01)
                writer.write(response(b"{}"))
        finally:
            there.discard(writer)

    async with serve(handle) as url:
        api = adapter(url)
        for _ in range(5):
            await enable(api, trade)
        assert len(made) == 1
        await asyncio.gather(*(enable(api, trade, timeout_s=5) for _ in range(50)))
        # A connection that its client has closed is noticed here a moment later.
        assert 10 <= most <= 12


async def test_aiohttp_drops_its_idle_connections_with_one_that_was_lost(
    serve, read_request, trade
) -> None:
    """What took one down took the others: each would cost a failure, and five open the breaker."""
    restarted = False

    async def handle(reader, writer):
        made_before = not restarted
        while not reader.at_eof():
            await read_request(reader)
            if made_before and restarted:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
                return
            await asyncio.sleep(0.02)
            writer.write(response(b"{}"))

    async with serve(handle) as url:
        api = AiohttpApi(url, now=now)
        await asyncio.gather(*(enable(api, trade) for _ in range(8)))
        restarted = True
        with pytest.raises(Unanswered):
            await enable(api, trade)
        assert (await enable(api, trade)).status == 200
        await api.aclose()


@respx.mock
async def test_httpx_sends_what_it_should(trade) -> None:
    route = respx.post("http://dtms.test/dtms/trade/enable").mock(
        return_value=httpx.Response(503, json={"error": "x"}, headers={"Retry-After": "2"})
    )
    api = HttpxApi("http://dtms.test", now=now)
    answer = await enable(api, trade)
    await api.aclose()
    request = route.calls.last.request
    assert json.loads(request.content) == enable_payload(trade)
    assert request.headers["X-Correlation-ID"] == "c-1"
    assert request.headers["Content-Type"] == "application/json"
    assert "X-API-Key" not in request.headers
    assert answer == Answer(503, {"error": "x"}, 2.0)


@respx.mock
@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (httpx.ConnectError, NotSent),
        (httpx.ConnectTimeout, NotSent),
        (httpx.PoolTimeout, NotSent),
        (httpx.ReadTimeout, Unanswered),
        (httpx.WriteTimeout, Unanswered),
        (httpx.ReadError, Unanswered),
        (httpx.WriteError, Unanswered),
        (httpx.RemoteProtocolError, Unanswered),
    ],
)
async def test_every_error_of_httpx_says_whether_it_may_have_happened(
    trade, raised, expected
) -> None:
    respx.post("http://dtms.test/dtms/trade/enable").mock(side_effect=raised)
    api = HttpxApi("http://dtms.test", now=now)
    with pytest.raises(expected):
        await enable(api, trade)
    await api.aclose()


async def test_not_a_number_never_goes_on_the_wire(adapter) -> None:
    with pytest.raises(ValueError, match="JSON"):
        await adapter("http://127.0.0.1:1").enable(
            {"entry": float("nan")}, timeout_s=1, correlation_id="c"
        )
