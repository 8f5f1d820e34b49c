"""What the proxy tells about exchanges, and what bounds and ends it."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx
import pytest

import chaos.proxy.link
from chaos.faults import AnswerFor, DropAnswer, Latency
from chaos.proxy import FaultProxy


async def test_an_exchange_is_told_with_everything_that_is_known_of_it(
    bot: Any, memory: Any
) -> None:
    await bot.enable(1001)
    exchange = memory.exchanges[0]
    assert (exchange.number, exchange.service) == (0, "bot")
    request = exchange.request
    assert (request.link, request.op, request.ticket, request.attempt) == (
        "bot->dtms",
        "enable",
        1001,
        0,
    )
    assert request.payload["symbol"] == "EURUSD"
    outcome = memory.outcomes[0]
    assert outcome.server == outcome.client == memory.answers[0]
    assert outcome.client.body["trade_info"]["ticket"] == 1001
    assert (outcome.reached, outcome.fault, outcome.why) == (True, None, "")


async def test_attempts_are_counted_by_link_operation_and_ticket(
    proxy: FaultProxy, bot: Any, caller: Any, server: Any, http: httpx.AsyncClient, memory: Any
) -> None:
    await proxy.link("desktop->dtms", "127.0.0.1", server.port)
    desktop = caller(http, f"http://127.0.0.1:{proxy.port('desktop->dtms')}")
    for ask in (bot.enable(1), bot.enable(2), bot.enable(1), bot.get("/dtms/trade/1")):
        await ask
    await desktop.enable(1)
    await bot.enable(1)
    seen = [
        (e.request.link, e.request.op, e.request.ticket, e.request.attempt)
        for e in memory.exchanges
    ]
    assert seen == [
        ("bot->dtms", "enable", 1, 0),
        ("bot->dtms", "enable", 2, 0),
        ("bot->dtms", "enable", 1, 1),
        ("bot->dtms", "lookup", 1, 0),
        ("desktop->dtms", "enable", 1, 0),
        ("bot->dtms", "enable", 1, 2),
    ]
    assert [exchange.number for exchange in memory.exchanges] == list(range(6))


async def test_an_exchange_has_ended_before_its_client_knows(bot: Any, memory: Any) -> None:
    await bot.enable()
    assert memory.told == ["request", "answer", "end"]


async def test_an_exchange_has_begun_before_the_server_knows(
    bot: Any, server: Any, memory: Any
) -> None:
    server.gate.clear()
    asking = asyncio.ensure_future(bot.enable())
    await server.until(lambda: len(server.raw) == 1)
    assert memory.told == ["request"]
    server.gate.set()
    await asking


async def test_when_to_come_back_is_told(proxy: FaultProxy, bot: Any, memory: Any) -> None:
    await AnswerFor("bot->dtms", status=429, retry_after_s=3).inflict(proxy)
    await bot.enable()
    outcome = memory.outcomes[0]
    assert (outcome.client.status, outcome.client.retry_after) == (429, "3")
    assert (outcome.reached, outcome.server, outcome.fault) == (False, None, "answer-for")


async def test_a_client_that_gives_up_got_no_answer(
    proxy: FaultProxy, bot: Any, memory: Any
) -> None:
    await Latency("bot->dtms", latency_ms=400).inflict(proxy)
    with pytest.raises(httpx.ReadTimeout):
        await bot.enable(timeout_s=0.1)
    await memory.until(lambda: len(memory.outcomes) == 1)
    outcome = memory.outcomes[0]
    assert (outcome.server.status, outcome.client, outcome.fault) == (200, None, "latency")


async def test_a_client_that_gives_up_on_a_slow_server_has_its_connection_ended(
    bot: Any, server: Any, memory: Any
) -> None:
    server.gate.clear()
    with pytest.raises(httpx.ReadTimeout):
        await bot.enable(timeout_s=0.1)
    await asyncio.sleep(0.05)
    server.gate.set()
    await memory.until(lambda: len(memory.outcomes) == 1)
    outcome = memory.outcomes[0]
    assert (outcome.reached, outcome.client, outcome.server.status) == (True, None, 200)
    await server.until(lambda: server.open == 0)


async def test_requests_can_be_waited_for(proxy: FaultProxy, bot: Any) -> None:
    third = asyncio.ensure_future(proxy.until_seen(3, "enable"))
    await bot.enable(1)
    await bot.get("/health")
    await bot.enable(2)
    assert not third.done()
    await bot.enable(3)
    await asyncio.wait_for(third, 5)
    await asyncio.wait_for(proxy.until_seen(4, "any"), 5)


async def test_waiting_for_a_request_ends_with_the_proxy(proxy: FaultProxy) -> None:
    waiting = asyncio.ensure_future(proxy.until_seen(1, "enable"))
    await asyncio.sleep(0)
    await proxy.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_closing_the_proxy_resets_what_is_open_and_frees_the_ports(
    proxy: FaultProxy, server: Any
) -> None:
    port = proxy.port("bot->dtms")
    source, sink = await asyncio.open_connection("127.0.0.1", port)
    await server.until(lambda: server.open == 1)
    await proxy.aclose()
    await proxy.aclose()
    with pytest.raises(ConnectionResetError):
        await source.read()
    sink.close()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))


async def test_closing_the_proxy_ends_exchanges_under_way(
    proxy: FaultProxy, bot: Any, server: Any, memory: Any
) -> None:
    server.gate.clear()
    asking = asyncio.ensure_future(bot.enable())
    await server.until(lambda: len(server.raw) == 1)
    await proxy.aclose()
    with pytest.raises(httpx.ReadError):
        await asking
    assert memory.outcomes[0].why == "the proxy closed"
    server.gate.set()


async def test_closing_the_proxy_ends_hanging_connections(
    proxy: FaultProxy, bot: Any, memory: Any
) -> None:
    await DropAnswer("bot->dtms").inflict(proxy)
    asking = asyncio.ensure_future(bot.enable())
    await memory.until(lambda: len(memory.outcomes) == 1)
    await proxy.aclose()
    with pytest.raises(httpx.ReadError):
        await asking


async def test_an_undo_after_the_proxy_was_closed_does_nothing(proxy: FaultProxy) -> None:
    undo = await Latency("bot->dtms", 5).inflict(proxy)
    await proxy.aclose()
    await undo()


async def test_more_connections_than_may_be_are_reset(
    proxy: FaultProxy, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chaos.proxy.link, "CONNECTIONS_MAX", 2)
    port = proxy.port("bot->dtms")
    opened = [await asyncio.open_connection("127.0.0.1", port) for _n in range(2)]
    await server.until(lambda: server.open == 2)
    source, sink = await asyncio.open_connection("127.0.0.1", port)
    with pytest.raises(ConnectionResetError):
        await source.read()
    for _source, each in (*opened, (source, sink)):
        each.close()


async def test_a_link_can_have_a_port_of_its_choice(server: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with FaultProxy() as proxy:
        assert await proxy.link("a->b", "127.0.0.1", server.port, listen_port=port) == port


async def test_a_port_that_is_taken_is_refused_in_words(server: Any) -> None:
    async with FaultProxy() as proxy:
        with pytest.raises(OSError, match=f"port {server.port} of 127.0.0.1 is taken"):
            await proxy.link("a->b", "127.0.0.1", server.port, listen_port=server.port)
        assert await proxy.link("a->b", "127.0.0.1", server.port)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("bot->dtms", "There is a link 'bot->dtms' already"),
        ("*->dtms", "is a pattern, no link"),
        ("bot", 'is called like "bot->dtms"'),
    ],
)
async def test_a_link_that_cannot_be_laid_is_refused_in_words(
    proxy: FaultProxy, name: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        await proxy.link(name, "127.0.0.1", 1)
