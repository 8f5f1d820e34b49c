"""The proxy without faults is not there, as far as client and server can tell."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from chaos.proxy import FaultProxy

REQUEST = (
    b"POST /dtms/trade/enable HTTP/1.1\r\nHost: x\r\nX-Odd-Case: 1\r\n"
    b'Content-Length: 15\r\n\r\n{"ticket":1001}'
)


async def connect(proxy: FaultProxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", proxy.port("bot->dtms"))


async def test_an_answer_comes_through(bot: Any) -> None:
    answer = await bot.enable(1001)
    assert (answer.status_code, answer.json()["trade_info"]["ticket"]) == (200, 1001)


async def test_a_request_arrives_to_the_bit(proxy: FaultProxy, server: Any) -> None:
    _source, sink = await connect(proxy)
    sink.write(REQUEST)
    await server.until(lambda: server.raw == [REQUEST])
    sink.close()


async def test_a_request_in_pieces_arrives_whole(proxy: FaultProxy, server: Any) -> None:
    _source, sink = await connect(proxy)
    for byte in REQUEST:
        sink.write(bytes([byte]))
        await asyncio.sleep(0)
    await server.until(lambda: server.raw == [REQUEST])
    sink.close()


async def test_connections_are_kept_alive(bot: Any, server: Any) -> None:
    for ticket in range(1, 21):
        await bot.enable(ticket)
    assert server.accepted == 1
    assert server.tickets == list(range(1, 21))


async def test_many_clients_are_served_at_once(bot: Any, server: Any) -> None:
    answers = await asyncio.gather(*(bot.enable(ticket) for ticket in range(1, 51)))
    assert {answer.json()["trade_info"]["ticket"] for answer in answers} == set(range(1, 51))


async def test_a_chunked_answer_comes_through(bot: Any, server: Any) -> None:
    server.answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    )
    assert (await bot.enable()).text == "hello world"
    assert (await bot.enable()).text == "hello world"


async def test_an_informational_answer_comes_before_the_answer(
    bot: Any, server: Any, memory: Any
) -> None:
    server.answer = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert (await bot.enable()).text == "ok"
    assert memory.outcomes[0].client.status == 200


async def test_an_answer_that_ends_with_the_connection_comes_through(
    bot: Any, server: Any, memory: Any
) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\n\r\nall there is"
    server.hangs_up = True
    assert (await bot.enable()).text == "all there is"
    assert memory.outcomes[0].client.body == "all there is"


async def test_an_answer_to_head_has_no_body(bot: Any, server: Any) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
    for _again in range(2):
        answer = await bot.http.head(f"{bot.url}/health")
        assert answer.headers["content-length"] == "500"


async def test_the_first_part_of_an_answer_does_not_wait_for_the_rest(
    proxy: FaultProxy, server: Any
) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nfirst"
    source, sink = await connect(proxy)
    sink.write(REQUEST)
    assert (await source.readuntil(b"first")).endswith(b"first")
    sink.close()


async def test_requests_that_come_one_on_the_heels_of_the_other_are_all_answered(
    proxy: FaultProxy, server: Any, memory: Any
) -> None:
    server.gate.clear()
    source, sink = await connect(proxy)
    sink.write(REQUEST)
    await server.until(lambda: len(server.raw) == 1)
    sink.write(REQUEST)
    sink.write(REQUEST + REQUEST)
    server.gate.set()
    for _answer in range(4):
        head = await source.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        assert json.loads(await source.readexactly(length))["success"] is True
    assert {exchange.request.op for exchange in memory.exchanges} == {"enable"}
    sink.close()


async def test_what_is_no_http_is_carried_as_bytes(proxy: FaultProxy, memory: Any) -> None:
    async def shout(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        sink.write((await source.readline()).upper())
        sink.close()

    shouter = await asyncio.start_server(shout, "127.0.0.1", 0)
    port = shouter.sockets[0].getsockname()[1]
    await proxy.link("bot->shouter", "127.0.0.1", port)
    source, sink = await asyncio.open_connection("127.0.0.1", proxy.port("bot->shouter"))
    sink.write(b"hello there\n")
    assert await source.read() == b"HELLO THERE\n"
    assert memory.told == []
    sink.close()
    shouter.close()


async def test_a_body_over_the_limit_is_carried_unread(bot: Any, server: Any, memory: Any) -> None:
    huge = b'{"ticket": 1, "x": "' + b"x" * (5 * 1024 * 1024) + b'"}'
    answer = await bot.http.post(f"{bot.url}/dtms/trade/enable", content=huge)
    assert answer.status_code == 200
    assert len(server.raw[0]) > len(huge)
    assert memory.told == []


async def test_a_large_answer_comes_through(bot: Any, server: Any, memory: Any) -> None:
    body = b"y" * (6 * 1024 * 1024)
    server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert (await bot.enable()).content == body
    assert (await bot.enable()).content == body


async def test_a_connection_that_the_server_closes_while_idle_is_closed_for_the_client(
    proxy: FaultProxy, server: Any
) -> None:
    source, sink = await connect(proxy)
    await server.until(lambda: server.open == 1)
    await server.drop_connections()
    assert await source.read() == b""
    sink.close()


async def test_an_idle_close_by_the_server_costs_the_next_request_nothing(
    bot: Any, server: Any
) -> None:
    await bot.enable(1)
    await server.drop_connections()
    async with asyncio.timeout(5):
        while not bot.http._transport._pool.connections[0].has_expired():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert (await bot.enable(2)).status_code == 200
    assert server.tickets == [1, 2]


async def test_a_connection_that_the_client_closes_is_closed_for_the_server(
    proxy: FaultProxy, server: Any
) -> None:
    _source, sink = await connect(proxy)
    await server.until(lambda: server.open == 1)
    sink.close()
    await server.until(lambda: server.open == 0)


async def test_a_server_that_dies_before_it_answers_is_seen_to_die(
    bot: Any, server: Any, memory: Any
) -> None:
    server.gate.clear()
    asking = asyncio.ensure_future(bot.enable())
    await server.until(lambda: len(server.raw) == 1)
    await server.stop()
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await asking
    assert [(o.reached, o.client) for o in memory.outcomes] == [(True, None)]
    assert "the server" in memory.outcomes[0].why


async def test_a_request_is_never_sent_again(bot: Any, server: Any) -> None:
    server.gate.clear()
    asking = asyncio.ensure_future(bot.enable())
    await server.until(lambda: len(server.raw) == 1)
    await server.drop_connections()
    with pytest.raises(httpx.TransportError):
        await asking
    server.gate.set()
    await bot.enable(1002)
    assert server.tickets == [1001, 1002]


async def test_behind_a_closed_port_the_connection_is_reset(
    bot: Any, server: Any, memory: Any
) -> None:
    await server.stop()
    with pytest.raises(httpx.ReadError):
        await bot.enable()
    await memory.until(lambda: len(memory.outcomes) == 1)
    assert memory.outcomes[0].reached is False
    assert "cannot be reached" in memory.outcomes[0].why


async def test_a_client_that_says_nothing_to_a_closed_port_is_reset_too(
    proxy: FaultProxy, server: Any
) -> None:
    await server.stop()
    source, sink = await connect(proxy)
    with pytest.raises(ConnectionResetError):
        await source.read()
    sink.close()


async def test_a_link_can_close_in_good_order_where_its_server_is_not(
    proxy: FaultProxy, server: Any
) -> None:
    await server.stop()
    await proxy.link("mild->dtms", "127.0.0.1", server.port, mirror_upstream=False)
    source, sink = await asyncio.open_connection("127.0.0.1", proxy.port("mild->dtms"))
    assert await source.read() == b""
    sink.close()


async def test_a_server_that_comes_back_is_reached_again(bot: Any, server: Any) -> None:
    await server.stop()
    with pytest.raises(httpx.TransportError):
        await bot.enable()
    await server.start()
    assert (await bot.enable()).status_code == 200
