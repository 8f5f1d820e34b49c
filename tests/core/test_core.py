"""The core put together: outbox before the first byte, resumption, ownership, recovery."""

import asyncio
from dataclasses import replace

import pytest

from core.errors import NotSent, OutboxFailed, Unanswered
from core.events import Level
from core.outbox import Contradicted
from core.outcome import Closed, Conflict, Pending, Registered, Rejected
from core.ownership import offer
from core.port import Answer
from core.production import SystemClock
from core.registrar import Limits
from core.resumption import Spacing, Window
from core.retry import RetryPolicy
from core.settings import Policy, Settings
from core.sqlite_outbox import SqliteOutbox

BRISK = Policy(base_s=0.01, cap_s=0.05, resume_interval_s=0.01, breaker_cooldown_s=0.05)
REFUSED = NotSent("connection refused")
LOST = Unanswered("the answer was lost")


async def test_a_registration_from_end_to_end(make_core, trade) -> None:
    async with make_core() as core:
        assert await core.register(trade) == Registered(1001, verified=True)
        assert await core.settle(5) == ()
        assert core.outcomes() == {1001: "REGISTERED"}


async def test_the_intent_is_durable_before_the_first_byte(make_core, api, trade, tmp_path) -> None:
    seen = []

    async def look() -> None:
        copy = tmp_path / "copy.db"
        copy.write_bytes((tmp_path / "outbox.db").read_bytes())
        wal = tmp_path / "outbox.db-wal"
        (tmp_path / "copy.db-wal").write_bytes(wal.read_bytes() if wal.exists() else b"")
        outbox = SqliteOutbox.open(copy, now=SystemClock().now())
        seen.append([intent.ticket for intent in outbox.pending()])
        outbox.close()

    api.before_enable = look
    async with make_core() as core:
        await core.register(trade)
    assert seen == [[1001]]


async def test_an_intent_that_cannot_be_made_durable_is_not_sent(make_core, api, trade) -> None:
    async with make_core() as core:
        core._outbox._database.execute("PRAGMA query_only = 1").fetchall()
        with pytest.raises(OutboxFailed):
            await core.register(trade)
        assert api.sent == []
        core._outbox._database.execute("PRAGMA query_only = 0").fetchall()


async def test_registering_one_trade_many_times_at_once_is_one_drive(make_core, api, trade) -> None:
    api.before_enable = lambda: asyncio.sleep(0.3)
    async with make_core() as core:
        outcomes = await asyncio.gather(*(core.register(trade) for _ in range(20)))
    assert set(outcomes) == {Registered(1001, verified=True)}
    assert api.count("enable") == 1


async def test_other_data_under_the_ticket_are_a_conflict_at_once(
    make_core, api, trade, sink
) -> None:
    async with make_core() as core:
        await core.register(trade)
        assert isinstance(await core.register(replace(trade, volume=9.0)), Conflict)
    assert api.count("enable") == 1
    assert sink.alerts[-1].event == "registration_conflict"


async def test_what_is_pending_is_gone_on_with_until_it_is_registered(
    make_core, api, trade, answers
) -> None:
    api.enables = [REFUSED] * 6 + [answers.accepted()]
    async with make_core(BRISK) as core:
        outcome = await core.register(trade, Limits(retries=0))
        assert isinstance(outcome, Pending)
        assert await core.settle(20) == ()
        assert core.outcomes() == {1001: "REGISTERED"}


async def test_a_caller_waits_while_the_api_is_not_ready(make_core, api, trade) -> None:
    not_ready = Answer(503, {})
    api.healths = [*[not_ready] * 12, Answer(200, {"ready": True})]
    async with make_core(BRISK) as core:
        assert await core.register(trade) == Registered(1001, verified=True)


async def test_a_caller_waits_no_longer_than_the_deadline(make_core, api, trade) -> None:
    api.healths = [Answer(503, {})]
    async with make_core(replace(BRISK, deadline_s=0.05, breaker_threshold=999)) as core:
        outcome = await asyncio.wait_for(core.register(trade), 5)
        assert isinstance(outcome, Pending)
        assert core.pending()[0].ticket == 1001
        assert [intent.ticket for intent in await core.settle(0.01)] == [1001]


async def test_after_a_crash_what_was_promised_is_gone_on_with(make_core, api, trade) -> None:
    api.healths = [REFUSED]
    async with make_core(replace(BRISK, deadline_s=0.02)) as first:
        await first.register(trade)
    api.healths = [Answer(200, {"ready": True})]
    async with make_core(BRISK) as second:
        assert await second.settle(20) == ()
        assert second.outcomes() == {1001: "REGISTERED"}


async def test_a_defect_in_a_drive_costs_no_trade(make_core, api, trade, sink, answers) -> None:
    api.enables = [RuntimeError("a defect"), answers.accepted()]
    async with make_core(BRISK) as core:
        await core.accept(trade)
        assert await core.settle(20) == ()
        assert core.outcomes() == {1001: "REGISTERED"}
    assert any(alert.event == "drive_failed" for alert in sink.alerts)


async def test_an_outcome_that_cannot_be_written_is_told(make_core, trade, events_of) -> None:
    async with make_core() as core:
        await core.register(trade)
        await core.settle(5)
        core._outbox._database.execute("PRAGMA query_only = 1").fetchall()
        core.conclude(Closed(1001))
        await core.settle(5)
        core._outbox._database.execute("PRAGMA query_only = 0").fetchall()
    assert any(event["event"] == "outcome_not_written" for event in events_of())


async def test_a_corrupt_outbox_is_critical_news(make_core, tmp_path, sink) -> None:
    (tmp_path / "outbox.db").write_bytes(b"\xde\xad" * 4096)
    async with make_core():
        pass
    assert [alert.level for alert in sink.alerts] == [Level.CRITICAL]


async def test_closing_leaves_nothing_behind(make_core, api, trade) -> None:
    before = asyncio.all_tasks()
    api.healths = [Answer(503, {})]
    core = make_core(BRISK)
    await core.start()
    accepted = await core.accept(trade)
    await core.aclose()
    assert accepted.cancelled()
    assert api.closed
    assert asyncio.all_tasks() == before


async def test_a_core_that_never_started_can_be_closed(make_core) -> None:
    await make_core().aclose()


async def test_an_outbox_may_be_handed_in(make_core, tmp_path, trade) -> None:
    outbox = SqliteOutbox.open(tmp_path / "other.db", now=SystemClock().now())
    async with make_core(outbox=lambda _alerts: outbox) as core:
        await core.register(trade)


@pytest.mark.parametrize("adapter", ["httpx", "aiohttp"])
async def test_the_adapters_are_chosen_by_name(make_core, adapter, closed_port, trade) -> None:
    core = make_core(api=None, adapter=adapter)
    core._settings = Settings(port=closed_port, policy=BRISK)
    async with core:
        assert not await core._registrar.is_ready()


class Manager:
    def __init__(self, answer: object, owns: object = False) -> None:
        self.answer = answer
        self.owned = owns
        self.offered = 0

    async def manage(self, _trade) -> bool:
        self.offered += 1
        return told(self.answer)

    async def owns(self, _ticket) -> bool:
        return told(self.owned)


def told(answer: object) -> bool:
    if isinstance(answer, Exception):
        raise answer
    return bool(answer)


@pytest.fixture
def strategic(trade):
    return replace(trade, strategy_type="trap")


async def test_a_strategy_goes_to_the_universal_manager_alone(make_core, api, strategic) -> None:
    async with make_core(universal_manager=Manager(True)) as core:
        outcome = await core.register(strategic)
    assert outcome == Registered(1001, managed_by="universal_sl_tp_manager")
    assert api.sent == []


async def test_without_a_strategy_the_manager_is_not_asked(make_core, trade) -> None:
    manager = Manager(True)
    async with make_core(universal_manager=manager) as core:
        await core.register(trade)
    assert manager.offered == 0


@pytest.mark.parametrize(
    ("answer", "owns", "falls_back"),
    [
        (False, False, True),
        (REFUSED, True, True),
        (LOST, False, True),
        (LOST, True, False),
        (RuntimeError("x"), False, True),
        (RuntimeError("x"), True, False),
    ],
)
async def test_a_manager_that_surely_does_not_manage_is_fallen_back_from(
    make_core, api, strategic, answer, owns, falls_back
) -> None:
    async with make_core(universal_manager=Manager(answer, owns)) as core:
        outcome = await core.register(strategic)
    assert isinstance(outcome, Registered)
    assert (api.count("enable") == 1) is falls_back


async def test_what_fell_back_is_not_offered_again_after_a_crash(make_core, api, strategic) -> None:
    api.enables = [LOST]
    api.lookups = [LOST]
    async with make_core(universal_manager=Manager(False)) as first:
        assert isinstance(await first.register(strategic, Limits(retries=0)), Pending)
    willing = Manager(True)
    async with make_core(BRISK, universal_manager=willing) as second:
        assert isinstance(await second.register(strategic, Limits(retries=0)), Pending)
    assert willing.offered == 0


@pytest.mark.parametrize("answer", [REFUSED, False])
async def test_a_refusal_of_what_was_taken_before_a_crash_makes_no_second_manager(
    make_core, api, strategic, answer
) -> None:
    """The manager took it, and the core died before it could write that down."""
    async with make_core(universal_manager=Manager(LOST, LOST)) as first:
        await first.accept(strategic)
    async with make_core(BRISK, universal_manager=Manager(answer, owns=True)) as second:
        assert await second.settle(20) == ()
        assert second.outcomes() == {1001: "REGISTERED"}
    assert api.count("enable") == 0


@pytest.mark.parametrize("answer", [REFUSED, False])
async def test_a_refusal_of_what_was_offered_before_is_asked_about(
    make_core, api, strategic, answer
) -> None:
    manager = Manager(True)
    async with make_core(BRISK, universal_manager=manager) as core:
        await core.register(strategic)
        manager.answer, manager.owned = answer, LOST
        assert isinstance(await core.accept(strategic), asyncio.Future)
        await asyncio.sleep(0.05)
        assert core.outcomes() == {1001: "PENDING"}
        manager.owned = False
        assert await core.settle(20) == ()
    assert api.count("enable") == 1


async def test_what_cannot_be_kept_as_fallen_back_is_not_sent(make_core, api, strategic) -> None:
    manager = Manager(False)
    core = make_core(replace(BRISK, deadline_s=0.05), universal_manager=manager)

    async def refuse(_trade) -> bool:
        core._outbox._database.execute("PRAGMA query_only = 1").fetchall()
        return False

    manager.manage = refuse
    async with core:
        outcome = await core.register(strategic)
        core._outbox._database.execute("PRAGMA query_only = 0").fetchall()
    assert isinstance(outcome, Pending)
    assert api.count("enable") == 0


async def test_while_nobody_knows_who_manages_it_stays_pending(strategic) -> None:
    outcome = await offer(Manager(LOST, LOST), strategic)
    assert isinstance(outcome, Pending)


async def test_ownership_that_could_not_be_told_is_asked_again(
    make_core, api, strategic, until
) -> None:
    manager = Manager(LOST, LOST)
    async with make_core(BRISK, universal_manager=manager) as core:
        await core.accept(strategic)
        await until(lambda: manager.offered >= 2)
        assert api.count("enable") == 0
        manager.answer = True
        assert await core.settle(20) == ()


class Engine:
    def __init__(self, answer: object) -> None:
        self.answer = answer

    def register(self, _trade) -> bool:
        return told(self.answer)


@pytest.mark.parametrize(("answer", "sends"), [(True, 0), (False, 1), (RuntimeError("x"), 1)])
async def test_a_local_engine_goes_first(make_core, api, trade, answer, sends) -> None:
    async with make_core(local_engine=Engine(answer)) as core:
        assert isinstance(await core.register(trade), Registered)
    assert api.count("enable") == sends


async def test_an_api_that_may_not_be_used_is_not(make_core, api, trade, until) -> None:
    core = make_core(BRISK)
    core._settings = replace(core._settings, use_api_fallback=False)
    async with core:
        await core.accept(trade)
        await until(lambda: not core._driving)
        assert core.pending()[0].ticket == 1001
    assert api.count("enable") == 0


def test_a_window_doubles_with_success_and_falls_to_one() -> None:
    window = Window(limit=10)
    sizes = []
    for _ in range(5):
        window.after(True)
        sizes.append(window.size)
    assert sizes == [2, 4, 8, 10, 10]
    window.after(False)
    assert window.size == 1


def test_each_intent_is_spaced_on_its_own_and_forgotten_when_done() -> None:
    spacing = Spacing(RetryPolicy(base_s=1, cap_s=30), lambda: 0.5)
    spacing.on_failure(1, 0.0)
    spacing.on_failure(1, 0.0)
    assert not spacing.is_due(1, 0.9)
    assert spacing.is_due(1, 1.0)
    assert spacing.is_due(2, 0.0)
    spacing.forget(1)
    assert spacing.is_due(1, 0.0)


async def test_resumption_waits_as_long_as_the_api_asked(make_core, api, trade, answers) -> None:
    api.enables = [Answer(429, {}, 0.5), answers.accepted()]
    sent_at: list[float] = []

    async def note() -> None:
        sent_at.append(asyncio.get_running_loop().time())

    api.before_enable = note
    async with make_core(BRISK) as core:
        assert (await core.register(trade, Limits(retries=0))).retry_after_s == 0.5
        assert await core.settle(10) == ()
    assert sent_at[1] - sent_at[0] >= 0.5


async def test_contradicted_intents_do_not_drive(make_core, trade) -> None:
    async with make_core() as core:
        await core.register(trade)
        putting = core.put(replace(trade, volume=9.0))
        assert isinstance(await asyncio.wrap_future(putting), Contradicted)
        assert isinstance(core.begin(putting), Conflict)


async def test_a_rejection_ends_the_intent(make_core, api, trade) -> None:
    api.enables = [Answer(422, {"message": "no"})]
    async with make_core() as core:
        assert isinstance(await core.register(trade), Rejected)
        assert await core.settle(5) == ()
        assert core.outcomes() == {1001: "REJECTED"}


async def test_an_intent_whose_caller_gives_up_is_driven_all_the_same(make_core, trade) -> None:
    async with make_core(BRISK) as core:
        accepting = asyncio.create_task(core.accept(trade))
        await asyncio.sleep(0)
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        # Cancelled before the writer took it, it was never promised; after, it is driven.
        assert await core.settle(10) == ()
        assert core.outcomes() in ({}, {1001: "REGISTERED"})
        # Either way the outbox goes on working.
        assert await core.register(trade) == Registered(1001, verified=True)


async def test_what_is_not_durable_yet_is_shown_to_nobody(make_core, api, trade) -> None:
    async with make_core(BRISK) as core:
        core._outbox._database.execute("PRAGMA query_only = 1").fetchall()
        with pytest.raises(OutboxFailed):
            await core.register(trade)
        assert core.pending() == ()
        core._outbox._database.execute("PRAGMA query_only = 0").fetchall()
