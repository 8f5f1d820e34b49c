"""Request faults through the proxy: what the client sees, and what the server got."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from chaos.faults import (
    AnswerFor,
    DelayAttempt,
    DropAnswer,
    DropRequest,
    DuplicateRequest,
    FailFirst,
    Garbage,
    Trickle,
    Truncate,
    WrongEcho,
)
from chaos.proxy import FaultProxy

LINK = "*->dtms"


def clock() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("reset", httpx.ReadError),
        ("close", httpx.RemoteProtocolError),
        ("hang", httpx.ReadTimeout),
    ],
)
async def test_a_dropped_request_never_reaches_the_server(
    proxy: FaultProxy, bot: Any, server: Any, how: Any, error: type[Exception]
) -> None:
    await DropRequest(LINK, how=how).inflict(proxy)
    with pytest.raises(error):
        await bot.enable(timeout_s=0.2)
    assert server.requests == []


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("reset", httpx.ReadError),
        ("close", httpx.RemoteProtocolError),
        ("hang", httpx.ReadTimeout),
    ],
)
async def test_a_dropped_answer_was_given_by_the_server(
    proxy: FaultProxy, bot: Any, server: Any, memory: Any, how: Any, error: type[Exception]
) -> None:
    await DropAnswer(LINK, how=how).inflict(proxy)
    with pytest.raises(error):
        await bot.enable(timeout_s=0.2)
    assert server.tickets == [1001]
    assert memory.outcomes[0].server.status == 200
    assert memory.outcomes[0].client is None


async def test_a_server_that_closes_does_not_end_a_hanging_connection(
    proxy: FaultProxy, bot: Any, server: Any
) -> None:
    await DropAnswer(LINK).inflict(proxy)
    asking = asyncio.ensure_future(bot.enable(timeout_s=0.3))
    await server.until(lambda: server.open == 0 and server.accepted == 1)
    with pytest.raises(httpx.ReadTimeout):
        await asking


async def test_a_duplicated_request_reaches_the_server_twice(
    proxy: FaultProxy, bot: Any, server: Any, memory: Any
) -> None:
    await DuplicateRequest(LINK).inflict(proxy)
    assert (await bot.enable()).status_code == 200
    await memory.until(lambda: len(memory.copies) == 1)
    assert server.tickets == [1001, 1001]
    assert server.raw[0] == server.raw[1]
    assert memory.copies[0].status == 200


async def test_the_client_gets_the_answer_to_the_first_delivery(
    proxy: FaultProxy, bot: Any, server: Any, memory: Any
) -> None:
    await DuplicateRequest(LINK, copies=3, gap_s=0.02).inflict(proxy)
    await bot.enable()
    assert len(server.tickets) == 1
    await memory.until(lambda: len(memory.copies) == 2)
    assert memory.told == ["request", "answer", "end", "copy", "copy"]


async def test_a_copy_that_does_not_get_through_is_lost(
    proxy: FaultProxy, bot: Any, server: Any, memory: Any
) -> None:
    await DuplicateRequest(LINK, gap_s=0.05).inflict(proxy)
    await bot.enable()
    await server.stop()
    await memory.until(lambda: len(memory.copies) == 1)
    assert memory.copies == [None]


async def test_copies_under_way_end_with_the_proxy(
    proxy: FaultProxy, bot: Any, server: Any
) -> None:
    await DuplicateRequest(LINK, gap_s=60.0).inflict(proxy)
    await bot.enable()
    await proxy.aclose()
    assert len(server.tickets) == 1


async def test_one_attempt_of_a_ticket_is_late(proxy: FaultProxy, bot: Any) -> None:
    await DelayAttempt(LINK, attempt=1, delay_s=0.15).inflict(proxy)
    took_s = []
    for _attempt in range(3):
        began_s = clock()
        await bot.enable()
        took_s.append(clock() - began_s)
    assert took_s[1] >= 0.15
    assert took_s[1] > took_s[0]
    assert took_s[1] > took_s[2]


async def test_a_late_request_arrives_though_its_client_has_given_up(
    proxy: FaultProxy, bot: Any, server: Any, memory: Any
) -> None:
    await DelayAttempt(LINK, delay_s=0.3).inflict(proxy)
    with pytest.raises(httpx.ReadTimeout):
        await bot.enable(timeout_s=0.1)
    assert server.requests == []
    await server.until(lambda: server.tickets == [1001])
    await memory.until(lambda: len(memory.outcomes) == 1)
    assert memory.outcomes[0].reached is True
    assert memory.outcomes[0].client is None
    await server.until(lambda: server.open == 0)


async def test_a_late_request_is_followed_by_the_end_of_the_connection(
    proxy: FaultProxy, bot: Any, server: Any
) -> None:
    server.answer = b"HTTP/1.1 102 Processing\r\n\r\n"
    await DelayAttempt(LINK, delay_s=0.2).inflict(proxy)
    with pytest.raises(httpx.ReadTimeout):
        await bot.enable(timeout_s=0.05)
    await server.until(lambda: server.tickets == [1001] and server.open == 0)


async def test_a_late_answer_was_given_in_time(
    proxy: FaultProxy, bot: Any, server: Any, memory: Any
) -> None:
    await DelayAttempt(LINK, part="answer", delay_s=0.15).inflict(proxy)
    began_s = clock()
    asking = asyncio.ensure_future(bot.enable())
    await memory.until(lambda: len(memory.answers) == 1)
    assert not asking.done()
    assert (await asking).status_code == 200
    assert clock() - began_s >= 0.15


async def test_a_request_held_back_while_its_server_goes_is_not_delivered(
    proxy: FaultProxy, bot: Any, server: Any, memory: Any
) -> None:
    await DelayAttempt(LINK, delay_s=0.1).inflict(proxy)
    asking = asyncio.ensure_future(bot.enable())
    await memory.until(lambda: len(memory.exchanges) == 1)
    await server.drop_connections()
    with pytest.raises(httpx.ReadError):
        await asking
    assert memory.outcomes[0].reached is False
    assert server.requests == []


async def test_somebody_else_answers(proxy: FaultProxy, bot: Any, server: Any) -> None:
    await AnswerFor(LINK, status=503, body='{"ready": false}', retry_after_s=2).inflict(proxy)
    answer = await bot.enable()
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"ready": False}
    assert server.requests == []


async def test_a_connection_lives_on_after_an_answer_in_the_servers_place(
    proxy: FaultProxy, bot: Any, server: Any
) -> None:
    undo = await AnswerFor(LINK, status=500).inflict(proxy)
    await bot.enable(1)
    await undo()
    assert (await bot.enable(2)).status_code == 200
    assert server.accepted == 1


async def test_the_first_attempts_of_each_ticket_fail(
    proxy: FaultProxy, bot: Any, server: Any
) -> None:
    await FailFirst(LINK, first=2, status=429, retry_after_s=1).inflict(proxy)
    statuses = [(await bot.enable(ticket)).status_code for ticket in (1, 2, 1, 2, 1, 2)]
    assert statuses == [429, 429, 429, 429, 200, 200]
    assert server.tickets == [1, 2]


async def test_first_attempts_count_from_when_the_fault_began(proxy: FaultProxy, bot: Any) -> None:
    await bot.enable(1)
    await FailFirst(LINK, first=1).inflict(proxy)
    assert [(await bot.enable(1)).status_code for _attempt in range(2)] == [500, 200]


async def test_garbage_comes_with_the_servers_status(
    proxy: FaultProxy, bot: Any, server: Any
) -> None:
    await Garbage(LINK).inflict(proxy)
    answer = await bot.enable()
    assert answer.status_code == 200
    assert answer.content.startswith(b"\xff\xfe\xfd")
    assert server.tickets == [1001]


async def test_garbage_can_be_no_http(proxy: FaultProxy, bot: Any, server: Any) -> None:
    await Garbage(LINK, kind="not-http").inflict(proxy)
    with pytest.raises(httpx.RemoteProtocolError):
        await bot.enable()
    assert server.tickets == [1001]


async def test_an_answer_too_large_to_be_kept_is_not_changed(
    proxy: FaultProxy, bot: Any, server: Any
) -> None:
    body = b"y" * (6 * 1024 * 1024)
    server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    await Garbage(LINK).inflict(proxy)
    assert (await bot.enable()).content == body


async def test_an_answer_too_large_to_be_kept_can_be_lost(
    proxy: FaultProxy, bot: Any, server: Any
) -> None:
    body = b"y" * (6 * 1024 * 1024)
    server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    await DropAnswer(LINK, how="close").inflict(proxy)
    with pytest.raises(httpx.RemoteProtocolError):
        await bot.enable()


async def test_a_truncated_answer_breaks_off(proxy: FaultProxy, bot: Any, memory: Any) -> None:
    await Truncate(LINK).inflict(proxy)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        await bot.enable()
    assert memory.outcomes[0].client is None
    assert memory.outcomes[0].server.body["success"] is True


async def test_a_trickled_answer_takes_its_time_and_never_pauses(
    proxy: FaultProxy, bot: Any
) -> None:
    await Trickle(LINK, over_s=0.5).inflict(proxy)
    began_s = clock()
    answer = await bot.enable(timeout_s=0.2)
    assert clock() - began_s >= 0.5
    assert answer.json()["success"] is True


async def test_the_head_of_a_trickled_answer_comes_at_once(proxy: FaultProxy, bot: Any) -> None:
    await Trickle(LINK, over_s=30.0).inflict(proxy)
    async with asyncio.timeout(5):
        async with bot.http.stream("GET", f"{bot.url}/dtms/trade/1") as plain:
            assert plain.status_code == 200
        async with bot.http.stream(
            "POST", f"{bot.url}/dtms/trade/enable", json={"ticket": 1}
        ) as answer:
            first = await anext(answer.aiter_raw())
    assert len(first) < 20


async def test_a_wrong_echo_is_believable(proxy: FaultProxy, bot: Any, memory: Any) -> None:
    await WrongEcho(LINK).inflict(proxy)
    answer = await bot.enable(1001)
    assert answer.json()["trade_info"]["ticket"] == 1002
    assert memory.outcomes[0].server.body["trade_info"]["ticket"] == 1001
    assert memory.outcomes[0].client.body["trade_info"]["ticket"] == 1002


async def test_faults_on_one_link_leave_the_others_alone(
    proxy: FaultProxy, caller: Any, http: httpx.AsyncClient, server: Any
) -> None:
    await proxy.link("desktop->dtms", "127.0.0.1", server.port)
    desktop = caller(http, f"http://127.0.0.1:{proxy.port('desktop->dtms')}")
    await AnswerFor("bot->dtms", status=503).inflict(proxy)
    assert (await desktop.enable()).status_code == 200


async def test_a_fault_on_all_links_holds_for_links_laid_later(
    proxy: FaultProxy, caller: Any, http: httpx.AsyncClient, server: Any
) -> None:
    undo = await AnswerFor(LINK, status=503).inflict(proxy)
    await proxy.link("desktop->dtms", "127.0.0.1", server.port)
    desktop = caller(http, f"http://127.0.0.1:{proxy.port('desktop->dtms')}")
    assert (await desktop.enable()).status_code == 503
    await undo()
    assert (await desktop.enable()).status_code == 200


async def test_two_faults_on_one_request_both_count(
    proxy: FaultProxy, bot: Any, server: Any, memory: Any
) -> None:
    await DuplicateRequest(LINK).inflict(proxy)
    await DropAnswer(LINK, how="reset").inflict(proxy)
    with pytest.raises(httpx.ReadError):
        await bot.enable()
    await server.until(lambda: server.tickets == [1001, 1001])
    assert memory.outcomes[0].fault == "duplicate-request+drop-answer"


@pytest.mark.parametrize(
    "fault",
    [
        DropRequest(LINK, how="reset"),
        DropAnswer(LINK, how="reset"),
        DuplicateRequest(LINK),
        DelayAttempt(LINK, attempt=None, delay_s=5.0),
        AnswerFor(LINK, status=503),
        FailFirst(LINK, first=100),
        Garbage(LINK, kind="empty"),
        Truncate(LINK),
        Trickle(LINK, over_s=5.0),
        WrongEcho(LINK),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_an_undone_request_fault_is_gone(
    proxy: FaultProxy, bot: Any, server: Any, memory: Any, fault: Any
) -> None:
    undo = await fault.inflict(proxy)
    await undo()
    await undo()
    assert (await bot.enable()).json()["trade_info"]["ticket"] == 1001
    assert memory.outcomes[0].fault is None
    assert len(server.tickets) == 1


async def test_undoing_one_of_two_equal_faults_leaves_the_other(
    proxy: FaultProxy, bot: Any
) -> None:
    fault = AnswerFor(LINK, status=503)
    undo = await fault.inflict(proxy)
    await fault.inflict(proxy)
    await undo()
    await undo()
    assert (await bot.enable()).status_code == 503


async def test_the_same_seed_decides_the_same_whatever_the_order(
    server: Any, caller: Any, http: httpx.AsyncClient
) -> None:
    async def failed(order: list[int], seed: int) -> set[int]:
        async with FaultProxy(seed=seed) as proxy:
            port = await proxy.link("bot->dtms", "127.0.0.1", server.port)
            await AnswerFor(LINK, status=503, probability=0.5).inflict(proxy)
            bot = caller(http, f"http://127.0.0.1:{port}")
            return {t for t in order if (await bot.enable(t)).status_code == 503}

    tickets = list(range(1, 41))
    assert await failed(tickets, 1) == await failed(tickets[::-1], 1)
    assert await failed(tickets, 1) != await failed(tickets, 2)
