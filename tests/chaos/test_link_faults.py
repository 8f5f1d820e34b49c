"""Link faults through the proxy: what the client sees, in time, errors and bytes."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from chaos.faults import Bandwidth, HalfOpen, Latency, Limit, Refuse, Reset, Slice, Stall
from chaos.proxy import FaultProxy

LINK = "*->dtms"
REQUEST = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


def clock() -> float:
    return asyncio.get_running_loop().time()


async def connect(proxy: FaultProxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", proxy.port("bot->dtms"))


async def test_latency_delays_the_first_byte(proxy: FaultProxy, server: Any) -> None:
    await Latency(LINK, latency_ms=150).inflict(proxy)
    source, sink = await connect(proxy)
    began_s = clock()
    sink.write(REQUEST)
    await source.readexactly(1)
    assert 0.15 <= clock() - began_s < 1.0
    sink.close()


async def test_latency_is_the_same_for_every_request(proxy: FaultProxy, bot: Any) -> None:
    await Latency(LINK, latency_ms=60).inflict(proxy)
    began_s = clock()
    for ticket in range(1, 4):
        await bot.enable(ticket)
    assert clock() - began_s >= 0.18


async def test_latency_upwards_delays_the_request(proxy: FaultProxy, bot: Any, memory: Any) -> None:
    await Latency(LINK, latency_ms=120, direction="up").inflict(proxy)
    began_s = clock()
    asking = asyncio.ensure_future(bot.enable())
    await memory.until(lambda: len(memory.exchanges) == 1)
    assert clock() - began_s >= 0.12
    await asking


async def test_jitter_adds_between_nothing_and_all_of_it(
    server: Any, caller: Any, http: httpx.AsyncClient
) -> None:
    async def took_s(seed: int) -> float:
        async with FaultProxy(seed=seed) as proxy:
            port = await proxy.link("bot->dtms", "127.0.0.1", server.port)
            await Latency(LINK, latency_ms=0, jitter_ms=200).inflict(proxy)
            began_s = clock()
            await caller(http, f"http://127.0.0.1:{port}").enable()
            return clock() - began_s

    took = [await took_s(seed) for seed in range(6)]
    assert max(took) < 0.4
    assert max(took) - min(took) > 0.03


async def test_latency_lifted_lets_what_is_under_way_arrive(
    proxy: FaultProxy, bot: Any, memory: Any
) -> None:
    undo = await Latency(LINK, latency_ms=60_000).inflict(proxy)
    asking = asyncio.ensure_future(bot.enable())
    await memory.until(lambda: len(memory.answers) == 1)
    await undo()
    assert (await asyncio.wait_for(asking, 5)).status_code == 200


async def test_bandwidth_is_not_exceeded(proxy: FaultProxy, bot: Any, server: Any) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000
    await Bandwidth(LINK, bytes_per_s=5000, direction="down").inflict(proxy)
    began_s = clock()
    assert len((await bot.enable()).content) == 2000
    assert 0.4 <= clock() - began_s < 2.0


async def test_a_stalled_link_is_silent_and_open(proxy: FaultProxy, bot: Any, server: Any) -> None:
    await bot.enable(1)
    await Stall(LINK).inflict(proxy)
    with pytest.raises(httpx.ReadTimeout):
        await bot.enable(2, timeout_s=0.2)
    assert server.tickets == [1]


async def test_what_a_stall_held_back_arrives_when_it_is_over(
    proxy: FaultProxy, bot: Any, server: Any
) -> None:
    await bot.enable(1)
    undo = await Stall(LINK).inflict(proxy)
    asking = asyncio.ensure_future(bot.enable(2))
    await asyncio.sleep(0.1)
    assert not asking.done()
    await undo()
    assert (await asking).status_code == 200
    assert server.tickets == [1, 2]


async def test_a_stall_downwards_lets_the_request_through(
    proxy: FaultProxy, bot: Any, server: Any
) -> None:
    await Stall(LINK, direction="down").inflict(proxy)
    with pytest.raises(httpx.ReadTimeout):
        await bot.enable(timeout_s=0.2)
    assert server.tickets == [1001]


async def test_a_request_stalled_until_its_client_gave_up_arrives_late_and_is_blamed_on_the_stall(
    proxy: FaultProxy, bot: Any, server: Any, memory: Any
) -> None:
    await bot.enable(1)
    undo = await Stall(LINK).inflict(proxy)
    with pytest.raises(httpx.ReadTimeout):
        await bot.enable(2, timeout_s=0.1)
    await undo()
    await memory.until(lambda: len(memory.outcomes) == 2)
    assert server.tickets == [1, 2]
    assert (memory.outcomes[1].client, memory.outcomes[1].fault) == (None, "stall")


async def test_a_stalled_link_holds_back_no_more_than_it_may(
    proxy: FaultProxy, server: Any
) -> None:
    undo = await Stall(LINK).inflict(proxy)
    _source, sink = await connect(proxy)
    sink.transport.set_write_buffer_limits(high=0)
    sink.write(b"x" * 64 * 1024 * 1024)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sink.drain(), 0.5)
    assert sink.transport.get_write_buffer_size() > 32 * 1024 * 1024
    sink.transport.abort()
    await undo()


async def test_a_reset_ends_an_exchange_that_is_under_way(
    proxy: FaultProxy, bot: Any, server: Any, memory: Any
) -> None:
    server.gate.clear()
    asking = asyncio.ensure_future(bot.enable())
    await server.until(lambda: server.tickets == [1001])
    await Reset(LINK).inflict(proxy)
    with pytest.raises(httpx.ReadError):
        await asking
    assert memory.outcomes[0].reached is True
    assert memory.outcomes[0].fault == "reset"
    server.gate.set()


async def test_a_reset_is_a_tcp_reset(proxy: FaultProxy) -> None:
    source, sink = await connect(proxy)
    await Reset(LINK).inflict(proxy)
    with pytest.raises(ConnectionResetError):
        await source.read()
    sink.close()


async def test_new_connections_are_reset_while_resets_last(proxy: FaultProxy, server: Any) -> None:
    await Reset(LINK).inflict(proxy)
    source, sink = await connect(proxy)
    with pytest.raises(ConnectionResetError):
        await source.read()
    sink.close()


async def test_a_reset_can_come_later(proxy: FaultProxy, bot: Any, server: Any) -> None:
    await Reset(LINK, after_ms=200).inflict(proxy)
    began_s = clock()
    assert (await bot.enable()).status_code == 200
    server.gate.clear()
    with pytest.raises(httpx.ReadError):
        await bot.enable()
    assert clock() - began_s >= 0.2
    server.gate.set()


async def test_a_reset_that_was_undone_in_time_does_not_come(
    proxy: FaultProxy, bot: Any, server: Any
) -> None:
    await bot.enable(1)
    undo = await Reset(LINK, after_ms=50).inflict(proxy)
    await undo()
    await asyncio.sleep(0.15)
    assert (await bot.enable(2)).status_code == 200
    assert server.accepted == 1


async def test_a_refused_connection_is_refused(proxy: FaultProxy, bot: Any) -> None:
    await Refuse(LINK).inflict(proxy)
    with pytest.raises(httpx.ConnectError):
        await bot.enable()


async def test_refusing_resets_open_connections(proxy: FaultProxy, server: Any) -> None:
    source, sink = await connect(proxy)
    await server.until(lambda: server.open == 1)
    await Refuse(LINK).inflict(proxy)
    with pytest.raises(ConnectionResetError):
        await source.read()
    sink.close()


async def test_refusing_can_leave_open_connections_alone(
    proxy: FaultProxy, bot: Any, caller: Any
) -> None:
    await bot.enable(1)
    await Refuse(LINK, cut=False).inflict(proxy)
    assert (await bot.enable(2)).status_code == 200
    async with httpx.AsyncClient(verify=False) as other:
        with pytest.raises(httpx.ConnectError):
            await caller(other, bot.url).enable(3)


async def test_nobody_can_take_a_refused_port(proxy: FaultProxy) -> None:
    await Refuse(LINK).inflict(proxy)
    with pytest.raises(OSError, match="in use"):
        await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", proxy.port("bot->dtms"))


async def test_a_half_open_connection_is_closed_for_the_server_only(
    proxy: FaultProxy, server: Any
) -> None:
    source, sink = await connect(proxy)
    await server.until(lambda: server.open == 1)
    await HalfOpen(LINK).inflict(proxy)
    await server.until(lambda: server.open == 0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(source.read(), 0.1)
    sink.close()


async def test_what_is_sent_into_a_half_open_connection_vanishes(
    proxy: FaultProxy, bot: Any, server: Any, memory: Any
) -> None:
    await bot.enable(1)
    await HalfOpen(LINK).inflict(proxy)
    for ticket in (2, 3):
        with pytest.raises(httpx.ReadTimeout):
            await bot.enable(ticket, timeout_s=0.15)
    assert server.tickets == [1]
    assert [(o.reached, o.fault) for o in memory.outcomes[1:]] == [(False, "half-open")] * 2


async def test_after_half_open_an_old_connection_is_answered_with_a_reset(
    proxy: FaultProxy, server: Any
) -> None:
    source, sink = await connect(proxy)
    undo = await HalfOpen(LINK).inflict(proxy)
    await undo()
    sink.write(REQUEST)
    with pytest.raises(ConnectionResetError):
        await source.read()
    sink.close()


async def test_slices_come_one_by_one(proxy: FaultProxy, server: Any) -> None:
    await Slice(LINK, size_bytes=50, gap_ms=20).inflict(proxy)
    source, sink = await connect(proxy)
    began_s = clock()
    sink.write(REQUEST)
    pieces = []
    while sum(map(len, pieces)) < 120:
        pieces.append(await source.read(65536))
    assert all(len(piece) <= 50 for piece in pieces)
    assert clock() - began_s >= 0.04
    sink.close()


async def test_a_limit_ends_the_connection_to_the_byte(proxy: FaultProxy, server: Any) -> None:
    await Limit(LINK, size_bytes=30).inflict(proxy)
    source, sink = await connect(proxy)
    sink.write(REQUEST)
    assert len(await source.read()) == 30
    sink.close()


async def test_an_answer_over_the_limit_is_not_delivered(
    proxy: FaultProxy, bot: Any, memory: Any
) -> None:
    await Limit(LINK, size_bytes=60).inflict(proxy)
    with pytest.raises(httpx.RemoteProtocolError):
        await bot.enable()
    assert memory.outcomes[0].client is None
    assert memory.outcomes[0].fault == "limit"


@pytest.mark.parametrize(
    "fault",
    [
        Latency(LINK, 60_000),
        Bandwidth(LINK, 1),
        Stall(LINK),
        Reset(LINK),
        Reset(LINK, after_ms=50),
        Refuse(LINK),
        HalfOpen(LINK),
        Slice(LINK, 1, 1000),
        Limit(LINK, 10),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_an_undone_link_fault_is_gone(
    proxy: FaultProxy, caller: Any, server: Any, fault: Any
) -> None:
    port = proxy.port("bot->dtms")
    undo = await fault.inflict(proxy)
    await undo()
    await undo()
    async with httpx.AsyncClient(verify=False) as fresh:
        for ticket in (1, 2):
            answer = await caller(fresh, f"http://127.0.0.1:{port}").enable(ticket)
            assert answer.status_code == 200
    assert proxy.port("bot->dtms") == port


async def test_undoing_one_of_two_toxics_leaves_the_other(proxy: FaultProxy, bot: Any) -> None:
    undo = await Refuse(LINK).inflict(proxy)
    await Refuse("bot->dtms").inflict(proxy)
    await undo()
    with pytest.raises(httpx.ConnectError):
        await bot.enable()


async def test_undoing_one_of_two_equal_toxics_leaves_the_other(
    proxy: FaultProxy, bot: Any
) -> None:
    fault = Refuse(LINK)
    undo = await fault.inflict(proxy)
    await fault.inflict(proxy)
    await undo()
    await undo()
    with pytest.raises(httpx.ConnectError):
        await bot.enable()


async def test_a_toxic_on_one_link_leaves_the_others_alone(
    proxy: FaultProxy, caller: Any, http: httpx.AsyncClient, server: Any
) -> None:
    await proxy.link("desktop->dtms", "127.0.0.1", server.port)
    await Refuse("bot->dtms").inflict(proxy)
    desktop = caller(http, f"http://127.0.0.1:{proxy.port('desktop->dtms')}")
    assert (await desktop.enable()).status_code == 200


async def test_a_fault_on_a_link_that_there_is_not_is_refused_in_words(proxy: FaultProxy) -> None:
    with pytest.raises(ValueError, match=r"There is no link 'bto->dtms'; there are: bot->dtms\."):
        await Stall("bto->dtms").inflict(proxy)
