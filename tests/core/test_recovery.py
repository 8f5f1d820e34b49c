"""Recovery: outbox, DTMS, broker and Universal Manager brought together, until all is clear."""

import asyncio
from dataclasses import replace

import pytest

from core.errors import NotSent, Unanswered
from core.port import Answer
from core.reconcile import AskAgain, MarkClosed, MarkRegistered, Register
from core.recovery import Recovered, recover, recover_until_clear
from core.settings import Policy

BRISK = Policy(base_s=0.01, cap_s=0.05, resume_interval_s=0.01, breaker_cooldown_s=0.05)
ABSENT = Answer(404, {})
EVERY_S = 0.002
NOTHING_LEFT: frozenset[int] = frozenset()


class Broker:
    """Answers from a script; the last answer goes on for ever."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)

    async def open_positions(self):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Manager:
    """Says whose a ticket is, from a script like the broker's."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.asked = []

    async def manage(self, trade):
        raise AssertionError("recovery offers nothing")

    async def owns(self, ticket):
        self.asked.append(ticket)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_what_is_open_and_nobodys_is_registered(make_core, api, trade, answers) -> None:
    api.lookups = [ABSENT, answers.found()]
    async with make_core(BRISK) as core:
        done = await recover(core, Broker({1001: trade}))
        assert done == Recovered((Register(trade),), NOTHING_LEFT)
        assert done.clear
        assert await core.settle(20) == ()
        assert core.outcomes() == {1001: "REGISTERED"}


async def test_what_was_registered_and_what_was_closed_is_learnt(
    make_core, api, trade, until
) -> None:
    stuck = asyncio.Event()
    api.before_enable = stuck.wait
    other = replace(trade, ticket=2)
    async with make_core() as core:
        await core.accept(trade)
        await core.accept(other)
        done = await recover(core, Broker({1001: trade}))
        assert done.actions == (MarkClosed(2), MarkRegistered(1001))
        await until(lambda: "PENDING" not in core.outcomes().values())
        assert core.outcomes() == {1001: "REGISTERED", 2: "CLOSED"}


async def test_what_the_other_manager_owns_is_left_to_it(make_core, api, trade) -> None:
    api.lookups = [ABSENT]
    manager = Manager(True)
    async with make_core(BRISK) as core:
        assert await recover(core, Broker({1001: trade}), manager) == Recovered((), NOTHING_LEFT)
        assert core.outcomes() == {}
    assert manager.asked == [1001]


@pytest.mark.parametrize("silence", [NotSent("refused"), Unanswered("lost"), RuntimeError("x")])
async def test_while_nobody_can_tell_who_owns_it_it_is_left_for_now(
    make_core, api, trade, silence
) -> None:
    api.lookups = [ABSENT]
    async with make_core(BRISK) as core:
        done = await recover(core, Broker({1001: trade}), Manager(silence))
        assert isinstance(done.actions[0], AskAgain)
        assert done.unclear == {1001}
        assert core.outcomes() == {}


async def test_what_dtms_holds_is_nothing_to_ask_the_manager_about(make_core, trade) -> None:
    manager = Manager(RuntimeError("must not be asked"))
    async with make_core() as core:
        assert (await recover(core, Broker({1001: trade}), manager)).clear
    assert manager.asked == []


async def test_other_data_are_told_a_person(make_core, api, trade, answers, sink) -> None:
    api.lookups = [answers.found(volume=9.0)]
    async with make_core() as core:
        await recover(core, Broker({1001: trade}))
    assert sink.alerts[-1].event == "recovery_conflict"


@pytest.mark.parametrize("positions", [None, RuntimeError("terminal gone")])
async def test_a_broker_that_tells_nothing_changes_nothing(make_core, trade, positions) -> None:
    async with make_core() as core:
        await core.register(trade)
        await core.settle(20)
        assert await recover(core, Broker(positions)) == Recovered((), None)
        assert core.outcomes() == {1001: "REGISTERED"}


@pytest.mark.parametrize("lookups", [[Unanswered("lost")], [Answer(503, {})]])
async def test_an_api_that_tells_nothing_registers_nothing(make_core, api, trade, lookups) -> None:
    api.lookups = lookups
    async with make_core() as core:
        assert (await recover(core, Broker({1001: trade}))).unclear == {1001}
    assert api.count("enable") == 0


async def test_an_api_that_is_not_ready_is_not_asked(make_core, api, trade) -> None:
    api.healths = [Answer(503, {})]
    async with make_core() as core:
        assert (await recover(core, Broker({1001: trade}))).unclear == {1001}
    assert api.count("lookup") == 0


async def test_an_open_breaker_is_respected(make_core, api, trade) -> None:
    api.lookups = [Unanswered("lost")]
    many = {ticket: replace(trade, ticket=ticket) for ticket in range(1, 41)}
    policy = replace(BRISK, breaker_cooldown_s=60.0, gate_cache_s=0.0)
    async with make_core(policy) as core:
        done = await recover(core, Broker(many))
        assert done.unclear == many.keys()
        asked = len(api.sent)
        await recover(core, Broker(many))
    assert asked <= 2 * policy.pool_connections
    assert len(api.sent) == asked


async def test_what_cannot_be_made_durable_is_told_and_tried_again(
    make_core, api, trade, sink
) -> None:
    api.lookups = [ABSENT]
    async with make_core() as core:
        core._outbox._database.execute("PRAGMA query_only = 1").fetchall()
        done = await recover(core, Broker({1001: trade}))
        core._outbox._database.execute("PRAGMA query_only = 0").fetchall()
        assert done.unclear == {1001}
    assert sink.alerts[-1].event == "recovery"


async def test_what_was_accepted_while_the_broker_was_asked_is_not_closed(make_core, trade) -> None:
    class Slow:
        async def open_positions(self):
            await core.register(trade)
            await core.settle(20)
            return {}

    async with make_core() as core:
        assert (await recover(core, Slow())).actions == ()
        assert core.outcomes() == {1001: "REGISTERED"}


async def test_recovery_goes_on_until_all_is_clear(make_core, api, trade, answers) -> None:
    api.lookups = [ABSENT, ABSENT, ABSENT, answers.found()]
    broker = Broker(None, {1001: trade})
    manager = Manager(NotSent("down"), NotSent("down"), False)
    async with make_core(BRISK) as core:
        first = await recover(core, broker, manager)
        assert not first.clear
        await recover_until_clear(core, broker, manager, first, every_s=EVERY_S)
        assert await core.settle(20) == ()
        assert core.outcomes() == {1001: "REGISTERED"}


async def test_later_rounds_are_about_what_was_left_and_nothing_else(make_core, api, trade) -> None:
    api.lookups = [ABSENT]
    later = replace(trade, ticket=2)
    broker = Broker({1001: trade}, {1001: trade, 2: later})
    manager = Manager(NotSent("down"), True)
    async with make_core(BRISK) as core:
        first = await recover(core, broker, manager)
        await recover_until_clear(core, broker, manager, first, every_s=EVERY_S)
    assert manager.asked == [1001, 1001]


async def test_recovery_that_never_gets_clear_tells_a_person(make_core, trade, sink) -> None:
    async with make_core(BRISK) as core:
        first = await recover(core, Broker(None))
        await recover_until_clear(core, Broker(None), None, first, every_s=0.0, rounds_max=3)
    assert [alert.event for alert in sink.alerts] == ["recovery_given_up"]
    assert "the broker" in sink.alerts[0].reason


async def test_what_is_left_is_named_to_the_person(make_core, api, trade, sink) -> None:
    api.lookups = [ABSENT]
    manager = Manager(NotSent("down"))
    async with make_core(BRISK) as core:
        first = await recover(core, Broker({1001: trade}), manager)
        await recover_until_clear(
            core, Broker({1001: trade}), manager, first, every_s=0.0, rounds_max=1
        )
    assert "[1001]" in sink.alerts[0].reason
