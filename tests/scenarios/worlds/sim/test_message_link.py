"""Faults on whole messages: what the client gets, what the server got, what the tap is told."""

from __future__ import annotations

import asyncio

import pytest

from chaos.faults import (
    AnswerFor,
    Bandwidth,
    DelayAttempt,
    DropAnswer,
    DropRequest,
    DuplicateRequest,
    FailFirst,
    Garbage,
    HalfOpen,
    Latency,
    Limit,
    Refuse,
    Reset,
    Slice,
    Stall,
    Trickle,
    Truncate,
    WrongEcho,
)
from scenarios.worlds.sim.message_link import LATENCY_S
from simulator.deterministic.process import Process

LINK = "bot->dtms"
ROUND_TRIP_S = 2 * LATENCY_S
HOWS = pytest.mark.parametrize(
    ("how", "seen"), [("reset", "Reset"), ("close", "CutOff"), ("hang", "silence")]
)


def about(outcome) -> tuple[bool, bool, bool, str | None]:
    """Whether the request arrived, was answered, and the answer too; and who is to blame."""
    return outcome.reached, outcome.server is not None, outcome.client is not None, outcome.fault


# Without a fault.


def test_an_exchange_takes_a_quiet_networks_time_and_is_told_in_order(lane) -> None:
    answer = lane.play(lane.ask, settle_s=0)
    assert answer.status == 200
    assert answer.body["trade_info"]["ticket"] == 1001
    assert lane.loop.time() == pytest.approx(ROUND_TRIP_S)
    assert lane.server.got == [(1001, LATENCY_S)]
    assert lane.tap.told == ["request", "answer", "end"]
    assert about(lane.outcome) == (True, True, True, None)
    assert (lane.outcome.client, lane.outcome.why) == (answer, "")


def test_attempts_are_counted_by_what_they_ask(lane) -> None:
    async def script() -> None:
        for ticket in (1, 2, 1):
            await lane.ask(ticket)
        await lane.ask(path="/dtms/trade/1")

    lane.play(script)
    seen = [exchange.request for exchange in lane.tap.exchanges]
    assert [(r.op, r.ticket, r.attempt) for r in seen] == [
        ("enable", 1, 0),
        ("enable", 2, 0),
        ("enable", 1, 1),
        ("lookup", 1, 0),
    ]
    assert [exchange.number for exchange in lane.tap.exchanges] == [0, 1, 2, 3]


def test_choices_make_a_message_late(lane) -> None:
    lane.draws["latency"] = 0.5
    lane.play(lane.ask, settle_s=0)
    assert lane.loop.time() == pytest.approx(ROUND_TRIP_S + 0.002)


# Servers that are down, die, or are paused.


def test_a_server_that_is_down_refuses_and_was_certainly_not_reached(lane) -> None:
    lane.server = None
    assert lane.play(lane.ask) == "Refused"
    assert about(lane.outcome) == (False, False, False, None)
    assert lane.tap.told == ["request", "end"]


def test_a_server_that_dies_before_the_request_arrives_refuses(lane) -> None:
    async def script() -> object:
        asking = asyncio.ensure_future(lane.ask())
        await asyncio.sleep(LATENCY_S / 2)
        lane.server.process.die()
        return await asking

    assert lane.play(script) == "Refused"
    assert about(lane.outcome) == (False, False, False, None)


def test_a_server_that_dies_while_it_handles_resets(lane) -> None:
    lane.server.after_s = 10.0

    async def script() -> object:
        asking = asyncio.ensure_future(lane.ask())
        await asyncio.sleep(1)
        lane.server.process.die()
        return await asking

    assert lane.play(script) == "Reset"
    assert about(lane.outcome) == (True, False, False, None)
    assert lane.tap.told == ["request", "end"]


def test_an_answer_on_its_way_arrives_though_its_server_died(lane) -> None:
    async def script() -> object:
        asking = asyncio.ensure_future(lane.ask())
        await asyncio.sleep(1.5 * LATENCY_S)
        lane.server.process.die()
        return await asking

    assert lane.play(script).status == 200
    assert about(lane.outcome) == (True, True, True, None)


def test_a_paused_server_answers_when_it_is_resumed(lane) -> None:
    async def script() -> object:
        lane.loop.pause(lane.server.process)
        asking = asyncio.ensure_future(lane.ask(timeout_s=60))
        await asyncio.sleep(20)
        assert lane.server.got == []
        lane.loop.resume(lane.server.process)
        return await asking

    assert lane.play(script).status == 200
    assert lane.server.got == [(1001, 20.0)]


def test_a_paused_server_gets_the_request_of_a_client_that_gave_up(lane) -> None:
    async def script() -> object:
        lane.loop.pause(lane.server.process)
        seen = await lane.ask(timeout_s=1)
        await asyncio.sleep(5)
        lane.loop.resume(lane.server.process)
        return seen

    assert lane.play(script) == "silence"
    assert lane.server.tickets == [1001]
    assert about(lane.outcome) == (True, True, False, None)
    assert lane.outcome.why == "the client had gone"


def test_a_restarted_server_is_another_one(lane) -> None:
    async def script() -> list[object]:
        first = await lane.ask()
        lane.server.process.die()
        second = await lane.ask()
        lane.server = type(lane.server)(Process("dtms", 1))
        return [first.status, second, (await lane.ask()).status]

    assert lane.play(script) == [200, "Refused", 200]


# Clients that die.


def test_a_client_that_dies_is_delivered_nothing(lane) -> None:
    lane.server.after_s = 1.0

    async def script() -> None:
        lane.loop.spawn(lane.bot, lane.ask())
        await asyncio.sleep(0.5)
        lane.bot.die()

    lane.play(script)
    lane.loop.close()
    assert lane.server.tickets == [1001]
    assert about(lane.outcome) == (True, True, False, None)
    assert lane.outcome.why == "the client had gone"


def test_an_answer_on_its_way_to_a_client_that_dies_is_not_delivered(lane) -> None:
    async def script() -> None:
        lane.loop.spawn(lane.bot, lane.ask())
        await asyncio.sleep(1.5 * LATENCY_S)
        lane.bot.die()

    lane.play(script)
    lane.loop.close()
    assert about(lane.outcome) == (True, True, False, None)


def test_the_failure_of_a_dead_clients_exchange_is_nobodys(lane) -> None:
    lane.server.after_s = 10.0

    async def script() -> None:
        lane.loop.spawn(lane.bot, lane.ask())
        await asyncio.sleep(1)
        lane.bot.die()
        lane.server.process.die()

    lane.play(script)
    assert about(lane.outcome) == (True, False, False, None)


def test_a_client_that_lives_is_no_longer_bound_to_what_is_over(lane) -> None:
    async def script() -> list[int]:
        wills = []
        for ticket in range(3):
            await lane.loop.spawn(lane.bot, lane.ask(ticket))
            wills.append(len(lane.bot._last_will))
        return wills

    assert len(set(lane.play(script))) == 1


# Rules.


@HOWS
def test_a_dropped_request_never_reaches_the_server(lane, how, seen) -> None:
    async def script() -> object:
        await lane.inflict(DropRequest(LINK, how=how))
        return await lane.ask()

    assert lane.play(script) == seen
    assert lane.server.got == []
    assert about(lane.outcome) == (False, False, False, "drop-request")


@HOWS
def test_a_dropped_answer_was_given_by_the_server(lane, how, seen) -> None:
    async def script() -> object:
        await lane.inflict(DropAnswer(LINK, how=how))
        return await lane.ask()

    assert lane.play(script) == seen
    assert lane.server.tickets == [1001]
    assert about(lane.outcome) == (True, True, False, "drop-answer")
    assert lane.tap.told == ["request", "answer", "end"]


def test_a_duplicated_request_reaches_the_server_so_often_and_is_answered_once(lane) -> None:
    async def script() -> object:
        await lane.inflict(DuplicateRequest(LINK, copies=3, gap_s=1.0))
        return await lane.ask()

    assert lane.play(script).status == 200
    assert lane.server.tickets == [1001] * 3
    assert [round(at_s) for _ticket, at_s in lane.server.got] == [0, 1, 2]
    assert lane.tap.told == ["request", "answer", "end", "copy", "copy"]
    assert [copy.status for copy in lane.tap.copies] == [200, 200]
    assert about(lane.outcome) == (True, True, True, "duplicate-request")


def test_copies_at_once_are_there_together(lane) -> None:
    lane.server.after_s = 1.0

    async def script() -> None:
        await lane.inflict(DuplicateRequest(LINK))
        await lane.ask()

    lane.play(script)
    first_s, second_s = (at_s for _ticket, at_s in lane.server.got)
    assert second_s - first_s <= 0.0025


@pytest.mark.parametrize("dies_at_s", [0.5, 1.5], ids=["before it comes", "while it is handled"])
def test_a_copy_that_does_not_get_through_is_lost(lane, dies_at_s) -> None:
    async def script() -> None:
        await lane.inflict(DuplicateRequest(LINK, gap_s=1.0))
        await lane.ask()
        lane.server.after_s = None
        await asyncio.sleep(dies_at_s)
        lane.server.process.die()

    lane.play(script)
    assert lane.tap.copies == [None]


def test_no_copy_overtakes_a_request_that_is_held_up(lane) -> None:
    async def script() -> object:
        await lane.inflict(DuplicateRequest(LINK))
        undo = await lane.inflict(Stall(LINK))
        asking = asyncio.ensure_future(lane.ask(timeout_s=60))
        await asyncio.sleep(10)
        assert lane.server.got == []
        await undo()
        return await asking

    assert lane.play(script).status == 200
    assert lane.server.tickets == [1001, 1001]


def test_a_late_request_arrives_though_its_client_gave_up_and_tried_again(lane) -> None:
    async def script() -> list[object]:
        await lane.inflict(DelayAttempt(LINK, delay_s=10.0))
        return [await lane.ask(timeout_s=2), await lane.ask(timeout_s=2)]

    first, second = lane.play(script)
    assert (first, second.status) == ("silence", 200)
    assert [round(at_s) for _ticket, at_s in lane.server.got] == [2, 10]
    again, late = lane.tap.outcomes
    assert about(again) == (True, True, True, None)
    assert about(late) == (True, True, False, "delay-attempt")
    assert late.why == "the client had gone"


def test_a_late_request_of_a_patient_client_is_answered(lane) -> None:
    async def script() -> object:
        await lane.inflict(DelayAttempt(LINK, delay_s=10.0))
        return await lane.ask(timeout_s=20)

    assert lane.play(script, settle_s=0).status == 200
    assert lane.loop.time() == pytest.approx(10 + ROUND_TRIP_S)


def test_a_late_answer_was_given_in_time(lane) -> None:
    async def script() -> object:
        await lane.inflict(DelayAttempt(LINK, part="answer", delay_s=3.0))
        seen = await lane.ask(timeout_s=1)
        assert lane.tap.told == ["request", "answer", "end"]
        return seen

    assert lane.play(script) == "silence"
    assert about(lane.outcome) == (True, True, False, "delay-attempt")
    assert lane.outcome.why == "the client gave up"


def test_somebody_else_answers(lane) -> None:
    async def script() -> object:
        await lane.inflict(AnswerFor(LINK, status=503, body='{"ready": false}', retry_after_s=2))
        return await lane.ask()

    answer = lane.play(script)
    assert (answer.status, answer.body, answer.retry_after) == (503, {"ready": False}, "2")
    assert lane.server.got == []
    assert about(lane.outcome) == (False, False, True, "answer-for")
    assert lane.tap.told == ["request", "end"]


def test_an_answer_in_the_servers_place_may_take_its_time(lane) -> None:
    async def script() -> list[object]:
        await lane.inflict(AnswerFor(LINK, status=500, over_s=3.0))
        return [await lane.ask(timeout_s=1), (await lane.ask(timeout_s=5)).status]

    assert lane.play(script) == ["silence", 500]
    assert [about(outcome)[2] for outcome in lane.tap.outcomes] == [False, True]


def test_an_answer_in_the_servers_place_has_the_links_latency(lane) -> None:
    async def script() -> object:
        await lane.inflict(AnswerFor(LINK, status=503))
        await lane.inflict(Latency(LINK, 2_000))
        return await lane.ask()

    assert lane.play(script, settle_s=0).status == 503
    assert lane.loop.time() == pytest.approx(2 + ROUND_TRIP_S)
    assert lane.outcome.fault == "answer-for+latency"


def test_an_answer_in_the_servers_place_is_stalled_like_any(lane) -> None:
    async def script() -> object:
        await lane.inflict(AnswerFor(LINK, status=503))
        await lane.inflict(Stall(LINK, direction="down"))
        return await lane.ask()

    assert lane.play(script) == "silence"


def test_the_first_attempts_of_each_ticket_fail(lane) -> None:
    async def script() -> list[int]:
        await lane.inflict(FailFirst(LINK, first=2, status=429))
        return [(await lane.ask(ticket)).status for ticket in (1, 2, 1, 2, 1, 2)]

    assert lane.play(script) == [429, 429, 429, 429, 200, 200]
    assert lane.server.tickets == [1, 2]


@pytest.mark.parametrize(
    ("kind", "body"),
    [("html", "<html><body>Bad Gateway</body></html>"), ("array", ["success", True])],
)
def test_garbage_comes_with_the_servers_status(lane, kind, body) -> None:
    async def script() -> object:
        await lane.inflict(Garbage(LINK, kind=kind))
        return await lane.ask()

    answer = lane.play(script)
    assert (answer.status, answer.body) == (200, body)
    assert lane.outcome.server.body["success"] is True
    assert about(lane.outcome) == (True, True, True, "garbage")


@pytest.mark.parametrize("fault", [Garbage(LINK, kind="not-http"), Truncate(LINK)])
def test_an_answer_that_is_none_or_breaks_off_is_cut_off(lane, fault) -> None:
    async def script() -> object:
        await lane.inflict(fault)
        return await lane.ask()

    assert lane.play(script) == "CutOff"
    assert about(lane.outcome)[:3] == (True, True, False)
    assert lane.outcome.why == "the answer was cut off"


def test_a_trickled_answer_takes_its_time(lane) -> None:
    async def script() -> object:
        await lane.inflict(Trickle(LINK, over_s=3.0))
        return await lane.ask()

    assert lane.play(script, settle_s=0).status == 200
    assert lane.loop.time() == pytest.approx(3 + ROUND_TRIP_S)
    assert about(lane.outcome) == (True, True, True, "trickle")


def test_a_wrong_echo_is_believable(lane) -> None:
    async def script() -> object:
        await lane.inflict(WrongEcho(LINK))
        return await lane.ask()

    assert lane.play(script).body["trade_info"]["ticket"] == 1002
    assert lane.outcome.server.body["trade_info"]["ticket"] == 1001
    assert lane.outcome.client.body["trade_info"]["ticket"] == 1002


def test_two_rules_both_count(lane) -> None:
    async def script() -> object:
        await lane.inflict(DuplicateRequest(LINK))
        await lane.inflict(DropAnswer(LINK, how="reset"))
        return await lane.ask()

    assert lane.play(script) == "Reset"
    assert lane.server.tickets == [1001, 1001]
    assert lane.outcome.fault == "duplicate-request+drop-answer"


# Toxics.


@pytest.mark.parametrize(
    ("direction", "there_s", "back_s"), [("up", 2, 2), ("down", 0, 2), ("both", 2, 4)]
)
def test_latency_is_added_by_direction(lane, direction, there_s, back_s) -> None:
    async def script() -> None:
        await lane.inflict(Latency(LINK, 2_000, direction=direction))
        await lane.ask()

    lane.play(script, settle_s=0)
    assert lane.server.got == [(1001, pytest.approx(there_s + LATENCY_S))]
    assert lane.loop.time() == pytest.approx(back_s + ROUND_TRIP_S)
    assert about(lane.outcome) == (True, True, True, "latency")


def test_jitter_is_drawn(lane) -> None:
    lane.draws["jitter"] = 0.5

    async def script() -> None:
        await lane.inflict(Latency(LINK, 0, jitter_ms=2_000))
        await lane.ask()

    lane.play(script, settle_s=0)
    assert lane.loop.time() == pytest.approx(1 + ROUND_TRIP_S)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_latency_lifted_lets_what_is_under_way_arrive(lane, direction) -> None:
    async def script() -> object:
        undo = await lane.inflict(Latency(LINK, 50_000, direction=direction))
        asking = asyncio.ensure_future(lane.ask(timeout_s=60))
        await asyncio.sleep(2)
        assert not asking.done()
        await undo()
        return await asking

    assert lane.play(script, settle_s=0).status == 200
    assert lane.loop.time() == pytest.approx(2, abs=0.01)


def test_bandwidth_and_slices_make_a_message_slow(lane) -> None:
    async def took_s(fault) -> float:
        undo = await lane.inflict(fault)
        began_s = lane.loop.time()
        assert (await lane.ask(timeout_s=60)).status == 200
        await undo()
        return lane.loop.time() - began_s

    async def script() -> list[float]:
        return [
            await took_s(Bandwidth(LINK, 100, direction="down")),
            await took_s(Slice(LINK, 10, gap_ms=100)),
            await took_s(Slice(LINK, 10_000, gap_ms=100)),
        ]

    slow_s, crumbs_s, whole_s = lane.play(script)
    assert 0.8 < slow_s < 2.0
    assert 0.8 < crumbs_s < 2.0
    assert whole_s == pytest.approx(ROUND_TRIP_S)
    assert [outcome.fault for outcome in lane.tap.outcomes] == ["bandwidth", "slice", "slice"]


@pytest.mark.parametrize(("direction", "arrived"), [("up", []), ("both", []), ("down", [1001])])
def test_a_stalled_link_is_silent_and_what_it_held_back_arrives_later(
    lane, direction, arrived
) -> None:
    async def script() -> object:
        undo = await lane.inflict(Stall(LINK, direction=direction))
        seen = await lane.ask(timeout_s=2)
        assert lane.server.tickets == arrived
        await undo()
        return seen

    assert lane.play(script) == "silence"
    assert lane.server.tickets == [1001]
    assert about(lane.outcome)[:3] == (True, True, False)


def test_a_patient_client_is_answered_when_the_stall_is_over(lane) -> None:
    async def script() -> object:
        undo = await lane.inflict(Stall(LINK))
        asking = asyncio.ensure_future(lane.ask(timeout_s=60))
        await asyncio.sleep(20)
        await undo()
        return await asking

    assert lane.play(script, settle_s=0).status == 200
    assert lane.loop.time() == pytest.approx(20, abs=0.01)


def test_what_a_stall_held_back_arrives_in_order(lane) -> None:
    async def script() -> None:
        undo = await lane.inflict(Stall(LINK))
        asking = [asyncio.ensure_future(lane.ask(n, timeout_s=60)) for n in range(5)]
        await asyncio.sleep(2)
        await undo()
        await asyncio.gather(*asking)

    lane.play(script)
    assert lane.server.tickets == [0, 1, 2, 3, 4]


def test_a_stall_that_begins_while_a_message_is_late_holds_it_back(lane) -> None:
    async def script() -> object:
        await lane.inflict(Latency(LINK, 2_000, direction="up"))
        asking = asyncio.ensure_future(lane.ask(timeout_s=5))
        await asyncio.sleep(1)
        await lane.inflict(Stall(LINK))
        return await asking

    assert lane.play(script) == "silence"
    assert lane.server.got == []


def test_a_connection_closes_when_it_has_carried_so_much(lane) -> None:
    async def script() -> list[object]:
        undo = await lane.inflict(Limit(LINK, 150))
        seen = [await lane.ask(n) for n in range(3)]
        await undo()
        return [*seen, await lane.ask(3)]

    first, second, third, free = lane.play(script)
    assert [first.status, third.status, free.status] == [200, 200, 200]
    assert second == "CutOff"
    assert lane.server.tickets == [0, 1, 2, 3]
    assert about(lane.tap.outcomes[1]) == (True, True, False, "limit")


def test_a_request_that_is_too_much_for_the_link_does_not_arrive(lane) -> None:
    async def script() -> list[object]:
        await lane.inflict(Limit(LINK, 0, direction="up"))
        return [await lane.ask(), (await lane.ask(path="/dtms/health")).status]

    assert lane.play(script) == ["CutOff", 200]
    assert about(lane.tap.outcomes[0]) == (False, False, False, "limit")


@pytest.mark.parametrize("cut", [True, False])
def test_a_closed_port_refuses_and_may_cut_what_is_open(lane, cut) -> None:
    lane.server.after_s = 2.0

    async def script() -> list[object]:
        asking = asyncio.ensure_future(lane.ask(1))
        await asyncio.sleep(1)
        undo = await lane.inflict(Refuse(LINK, cut=cut))
        refused = await lane.ask(2)
        seen = await asking
        await undo()
        return [refused, seen if cut else seen.status, (await lane.ask(3)).status]

    assert lane.play(script) == ["no connection", "Reset" if cut else 200, 200]
    assert lane.server.tickets == [1, 3]
    assert len(lane.tap.exchanges) == 2
    assert about(lane.tap.outcomes[0]) == (
        (True, False, False, "refuse") if cut else (True, True, True, "refuse")
    )


def test_a_cut_takes_what_has_not_arrived_with_it(lane) -> None:
    async def script() -> object:
        asking = asyncio.ensure_future(lane.ask())
        await asyncio.sleep(LATENCY_S / 2)
        await lane.inflict(Refuse(LINK))
        return await asking

    assert lane.play(script) == "Reset"
    assert lane.server.got == []
    assert about(lane.outcome) == (False, False, False, "refuse")


def test_a_reset_comes_so_long_after_the_connection_began(lane) -> None:
    lane.server.after_s = 10.0

    async def script() -> list[object]:
        open_already = asyncio.ensure_future(lane.ask(1, timeout_s=60))
        await asyncio.sleep(1)
        await lane.inflict(Reset(LINK, after_ms=2_000))
        seen = [await open_already, lane.loop.time()]
        return [*seen, await lane.ask(2), lane.loop.time()]

    assert lane.play(script) == ["Reset", pytest.approx(3), "Reset", pytest.approx(5)]
    assert [about(outcome) for outcome in lane.tap.outcomes] == [(True, False, False, "reset")] * 2


def test_a_reset_at_once_lets_nothing_through(lane) -> None:
    async def script() -> object:
        await lane.inflict(Reset(LINK))
        return await lane.ask()

    assert lane.play(script) == "Reset"
    assert lane.server.got == []
    assert about(lane.outcome) == (False, False, False, "reset")


def test_a_quick_exchange_is_over_before_the_reset(lane) -> None:
    async def script() -> object:
        await lane.inflict(Reset(LINK, after_ms=100))
        return await lane.ask()

    assert lane.play(script).status == 200


def test_a_reset_that_was_undone_in_time_does_not_come(lane) -> None:
    lane.server.after_s = 5.0

    async def script() -> list[object]:
        before = asyncio.ensure_future(lane.ask(1, timeout_s=60))
        await asyncio.sleep(0.5)
        undo = await lane.inflict(Reset(LINK, after_ms=2_000))
        during = asyncio.ensure_future(lane.ask(2, timeout_s=60))
        await asyncio.sleep(1)
        await undo()
        return [(await before).status, (await during).status]

    assert lane.play(script) == [200, 200]


def test_behind_a_half_open_connection_nobody_is_there(lane) -> None:
    lane.server.after_s = 2.0

    async def script() -> list[object]:
        asking = asyncio.ensure_future(lane.ask(1))
        await asyncio.sleep(1)
        undo = await lane.inflict(HalfOpen(LINK))
        seen = [await lane.ask(2), await asking]
        await undo()
        return [*seen, (await lane.ask(3)).status]

    assert lane.play(script) == ["silence", "silence", 200]
    assert lane.server.tickets == [1, 3]
    first, second, third = lane.tap.outcomes
    assert about(first) == (True, False, False, "half-open")
    assert about(second) == (False, False, False, "half-open")
    assert about(third) == (True, True, True, None)


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
        Latency(LINK, 5_000),
        Bandwidth(LINK, 1),
        Slice(LINK, 1, gap_ms=1_000),
        Stall(LINK),
        Limit(LINK, 0),
        Refuse(LINK),
        Reset(LINK),
        HalfOpen(LINK),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_a_fault_that_was_undone_is_gone(lane, fault) -> None:
    async def script() -> object:
        undo = await lane.inflict(fault)
        await undo()
        return await lane.ask()

    answer = lane.play(script)
    assert answer.body["trade_info"]["ticket"] == 1001
    assert lane.server.tickets == [1001]
    assert about(lane.outcome) == (True, True, True, None)
    assert lane.outcome.client == lane.outcome.server
