"""Several processes on one outbox; and a database that goes, hangs, or loses an answer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from chaos.faults import DatabaseTrouble
from chaos.postgres.database import PostgresDatabase
from core import helper, production
from core.errors import OutboxFailed
from core.outbox import Stored
from core.outcome import Conflict, Pending, Registered, Rejected
from core.postgres_outbox import PostgresLimits, PostgresOutbox
from core.settings import Policy, load

PLACE = "bot"
FOR_GOOD = PostgresLimits(connect_s=2, lock_s=0.3, statement_s=1.0, answer_s=1.0, lease_s=600)
SHORT = replace(FOR_GOOD, lease_s=0.6)
"""Renewed every 0.2 s."""


def soon(condition: Callable[[], object], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def url(make_database) -> str:
    return make_database()


@pytest.fixture
def open_as(url) -> Iterator[Callable[..., PostgresOutbox]]:
    """Opens the outbox as processes of these names would."""
    opened = []

    def run(owner: str, limits: PostgresLimits = FOR_GOOD, at: str = url, **given):
        given = {"monotonic": time.monotonic, **given}
        outbox = PostgresOutbox.open(at, PLACE, owner=owner, limits=limits, **given)
        opened.append(outbox)
        return outbox

    yield run
    for outbox in opened:
        outbox.close()


@pytest.fixture
def die():
    """Ends an outbox as the death of its process would: it says nothing, and renews nothing."""

    def run(outbox: PostgresOutbox) -> None:
        outbox._transaction = lambda *_prepare: (_ for _ in ()).throw(OSError("dead"))
        outbox.close()

    return run


# ---- whose an intent is


def test_what_one_process_has_in_hand_is_not_anothers(open_as, trade) -> None:
    one, two = open_as("one"), open_as("two")
    one.put(trade, "c").result(5)
    two._renew()
    assert [intent.ticket for intent in one.due()] == [trade.ticket]
    assert two.pending() == two.due() == ()


def test_what_was_let_go_of_is_anothers_at_once(open_as, trade) -> None:
    one, two = open_as("one"), open_as("two")
    one.put(trade, "c").result(5)
    one.close()
    two._renew()
    assert [intent.correlation_id for intent in two.due()] == ["c"]


def test_who_died_is_followed_when_his_lease_is_over_and_not_before(open_as, die, trade) -> None:
    one = open_as("one", SHORT)
    one.put(trade, "c").result(5)
    die(one)
    died = time.monotonic()
    two = open_as("two", replace(SHORT, lease_s=0.3))
    soon(two.due)
    assert time.monotonic() - died > 0.3
    assert [intent.ticket for intent in two.due()] == [trade.ticket]


def test_who_lives_keeps_what_is_his(open_as, trade) -> None:
    one, two = open_as("one", SHORT), open_as("two", SHORT)
    one.put(trade, "c").result(5)
    ends = time.monotonic() + 3 * SHORT.lease_s
    while time.monotonic() < ends:
        assert one.due()
        assert not two.pending()
        time.sleep(0.01)


def test_of_many_heirs_each_intent_has_one(open_as, die, trade) -> None:
    one = open_as("one", SHORT)
    for put in [one.put(replace(trade, ticket=n), "c") for n in range(1, 201)]:
        put.result(5)
    die(one)
    heirs = [open_as(f"heir {n}", SHORT) for n in range(3)]
    soon(lambda: sum(len(heir.pending()) for heir in heirs) >= 200)
    time.sleep(SHORT.lease_s)  # a second round of renewals: nobody takes from the living
    owned = [intent.ticket for heir in heirs for intent in heir.pending()]
    assert sorted(owned) == list(range(1, 201))


def test_the_same_trade_is_the_same_promise_in_all_processes(open_as, trade) -> None:
    one, two = open_as("one"), open_as("two")
    one.put(trade, "c1").result(5)
    assert two.put(trade, "c2").result(5) == Stored(one.pending()[0])
    assert two.pending() == ()
    two.conclude(Registered(trade.ticket)).result(5)
    one._renew()
    assert one.pending() == ()
    assert one.outcomes() == {trade.ticket: "REGISTERED"}


def test_processes_that_put_at_once_leave_one_intent(open_as, trade) -> None:
    outboxes = [open_as(str(n)) for n in range(3)]
    for n in range(1, 101):
        each = [outbox.put(replace(trade, ticket=n), str(k)) for k, outbox in enumerate(outboxes)]
        assert len({future.result(5).intent.correlation_id for future in each}) == 1
    owned = [intent.ticket for outbox in outboxes for intent in outbox.pending()]
    assert sorted(owned) == list(range(1, 101))


def test_who_lost_an_intent_cannot_undo_how_it_ended(open_as, trade) -> None:
    one, two = open_as("one"), open_as("two")
    one.put(trade, "c").result(5)
    two.conclude(Registered(trade.ticket)).result(5)
    one.conclude(Pending(trade.ticket, "no answer")).result(5)
    one.conclude(Rejected(trade.ticket, "late")).result(5)
    two.conclude(Pending(trade.ticket, "late too")).result(5)
    one._renew()
    assert one.pending() == ()
    assert open_as("three").outcomes() == {trade.ticket: "REGISTERED"}


def test_the_owner_may_correct_himself(open_as, trade) -> None:
    one = open_as("one")
    one.put(trade, "c").result(5)
    one.conclude(Registered(trade.ticket)).result(5)
    one.conclude(Conflict(trade.ticket, "other data")).result(5)
    assert one.outcomes() == {trade.ticket: "CONFLICT"}


def test_services_do_not_see_each_other(url, open_as, trade) -> None:
    open_as("one").put(trade, "c").result(5)
    other = PostgresOutbox.open(url, "desktop", owner="two", monotonic=time.monotonic)
    other.put(replace(trade, volume=9.0), "c").result(5)
    assert len(other.pending()) == 1
    other.close()


def test_nothing_is_gone_on_with_once_the_lease_may_be_over(open_as, trade) -> None:
    now = [0.0]
    one = open_as("one", monotonic=lambda: now[0])
    one.put(trade, "c").result(5)
    now[0] = FOR_GOOD.lease_s - 0.1
    assert one.due()
    now[0] = FOR_GOOD.lease_s
    assert one.due() == ()
    assert one.pending()
    one._renew()
    assert one.due()


def test_a_killed_process_leaves_its_intents_to_another(url, open_as) -> None:
    program = (
        "import sys, time; from core.postgres_outbox import PostgresOutbox, PostgresLimits\n"
        "from core.trade import Trade, Direction\n"
        "outbox = PostgresOutbox.open(sys.argv[1], sys.argv[2], owner='first',\n"
        "    monotonic=time.monotonic, limits=PostgresLimits(lease_s=0.5))\n"
        "outbox.put(Trade(1, 'X', Direction.BUY, 1.0, 1.0), 'c').result(5)\n"
        "print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, url, PLACE], stdout=-1) as first:
        first.stdout.readline()
        second = open_as("second", SHORT)
        assert second.pending() == ()
        first.kill()
    soon(second.due)


# ---- a database that fails


@pytest.mark.parametrize("how", ["killed", "frozen", "exhausted", "locked"])
async def test_while_it_fails_nothing_is_promised_and_then_it_heals(
    own_postgres, open_as, trade, how
) -> None:
    url = own_postgres.make_schema("here")
    told: list[str] = []
    one = await asyncio.to_thread(
        open_as, "one", replace(SHORT, lease_s=2.0), url, unrenewed=told.append
    )
    await asyncio.wrap_future(one.put(trade, "c"))
    database = PostgresDatabase(own_postgres, lock=("here.dtms_intents",))
    undo = await DatabaseTrouble(how).inflict(database)
    async with asyncio.timeout(8):
        with pytest.raises(OutboxFailed, match="not durable"):
            await asyncio.wrap_future(one.put(replace(trade, ticket=7), "c"))
    assert 7 not in one.outcomes()
    async with asyncio.timeout(8):
        while one.due():  # noqa: ASYNC110 - time passes elsewhere
            await asyncio.sleep(0.01)
    assert len(one.pending()) == 1
    await undo()
    async with asyncio.timeout(8):
        while not one.due():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert len(told) <= 1
    await asyncio.wrap_future(one.put(replace(trade, ticket=7), "c"))
    assert len(one.due()) == 2


def test_leases_that_cannot_be_renewed_are_told_once_each_time(own_postgres, open_as) -> None:
    told: list[str] = []
    one = open_as("one", FOR_GOOD, own_postgres.url, unrenewed=told.append)
    for times in (1, 2):
        own_postgres.kill()
        one._renew()
        one._renew()
        assert len(told) == times
        own_postgres.start()
        one._renew()


async def test_a_fail_over_costs_nobody_an_intent(own_postgres, open_as, trade) -> None:
    one = open_as("one", at=own_postgres.make_schema("here"))
    for n in range(1, 11):
        one.put(replace(trade, ticket=n), "c").result(5)
        await DatabaseTrouble("cut-off").inflict(PostgresDatabase(own_postgres))
        one.put(replace(trade, ticket=100 + n), "c").result(5)
    assert len(one.pending()) == 20


async def test_a_commit_without_an_answer_is_made_sure_of(lossy, open_as, trade) -> None:
    proxy, url, direct = lossy
    one = await asyncio.to_thread(open_as, "one", at=url)
    two = await asyncio.to_thread(open_as, "two", at=direct)
    proxy.armed = True
    stored = await asyncio.wrap_future(one.put(trade, "c"))
    assert proxy.lost == 1
    assert isinstance(stored, Stored)
    proxy.armed = True
    await asyncio.wrap_future(one.conclude(Registered(trade.ticket)))
    assert proxy.lost == 2
    assert one.pending() == ()
    again = await asyncio.wrap_future(two.put(trade, "c2"))
    assert again.intent.correlation_id == "c"
    await asyncio.to_thread(one.close)


async def test_what_turns_out_to_be_durable_is_gone_on_with(lossy, open_as, trade) -> None:
    proxy, url, _direct = lossy
    proxy.refuse = True
    one = await asyncio.to_thread(open_as, "one", SHORT, url)
    proxy.armed = True
    with pytest.raises(OutboxFailed, match="as far as can be told"):
        await asyncio.wrap_future(one.put(trade, "c"))
    proxy.refuse = False
    async with asyncio.timeout(8):
        while not one.due():  # noqa: ASYNC110 - time passes elsewhere
            await asyncio.sleep(0.01)
    await asyncio.to_thread(one.close)


def test_a_database_that_is_not_there_is_told_without_the_password(own_postgres) -> None:
    own_postgres.kill()
    with pytest.raises(OutboxFailed, match="cannot be used") as refused:
        PostgresOutbox.open(own_postgres.url, PLACE, owner="one", monotonic=time.monotonic)
    assert own_postgres._password not in str(refused.value)


KILLS = 20


def test_killed_amid_load_twenty_times_no_promise_is_lost(own_postgres, trade) -> None:
    outboxes = [
        PostgresOutbox.open(own_postgres.url, PLACE, owner=str(n), monotonic=time.monotonic)
        for n in range(2)
    ]
    promised: set[int] = set()
    tickets = iter(range(1, 1_000_000))

    def put_some() -> None:
        given = [next(tickets) for _ in range(20)]
        putting = [outboxes[n % 2].put(replace(trade, ticket=n), "c") for n in given]
        for ticket, future in zip(given, putting, strict=True):
            if future.exception(20) is None:
                promised.add(ticket)

    for _kill in range(KILLS):
        put_some()
        waiting = [
            (n, outboxes[n % 2].put(replace(trade, ticket=n), "c"))
            for n in (next(tickets) for _ in range(50))
        ]
        own_postgres.kill()
        promised |= {n for n, future in waiting if future.exception(20) is None}
        own_postgres.start()
    put_some()
    with closing(psycopg.connect(own_postgres.url)) as line:
        kept = {n for (n,) in line.execute("SELECT ticket FROM dtms_intents")}
    for outbox in outboxes:
        outbox.close()
    assert promised <= kept
    assert len(promised) >= KILLS * 20


# ---- in a core


class Manager:
    """Refuses every trade, though it owns what it was offered before."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def manage(self, trade) -> bool:
        return False

    async def owns(self, ticket: int) -> bool:
        self.asked.append(ticket)
        return True


def at_once() -> Policy:
    return Policy(resume_interval_s=0.02, base_s=0.001, cap_s=0.001)


async def test_a_core_goes_on_with_what_a_dead_one_promised(
    make_core, open_as, die, trade, until
) -> None:
    one = open_as("one", SHORT)
    one.put(trade, "c").result(5)
    die(one)
    two = open_as("two", SHORT)
    async with make_core(at_once(), outbox=lambda _alerts: two) as core:
        await until(lambda: core.outcomes() == {trade.ticket: "REGISTERED"})


async def test_what_a_dead_core_may_have_offered_is_asked_about(
    make_core, open_as, die, trade, until, api
) -> None:
    manager = Manager()
    one, two = open_as("one", SHORT), open_as("two", SHORT)
    async with make_core(at_once(), outbox=lambda _alerts: two, universal_manager=manager) as core:
        one.put(replace(trade, strategy_type="trap"), "c").result(5)
        die(one)
        await until(lambda: core.outcomes().get(trade.ticket) == "REGISTERED")
    assert manager.asked == [trade.ticket]
    assert api.count("enable") == 0


async def test_what_another_core_may_have_offered_is_asked_about(
    make_core, open_as, trade, api
) -> None:
    manager = Manager()
    one, two = open_as("one"), open_as("two")
    strategic = replace(trade, strategy_type="trap")
    one.put(strategic, "c").result(5)
    async with make_core(outbox=lambda _alerts: two, universal_manager=manager) as core:
        assert await core.register(strategic) == Registered(
            trade.ticket, managed_by="universal_sl_tp_manager"
        )
    assert manager.asked == [trade.ticket]
    assert api.count("enable") == 0


def test_the_settings_say_where_it_is(monkeypatch, url, trade) -> None:
    monkeypatch.setenv("DTMS_SERVICE", "bot")
    settings = load({"DTMS_OUTBOX_URL": url, "DTMS_API_PORT": "9001"})
    assert url not in repr(settings)
    outbox = helper._outbox(settings)(None)
    outbox.put(trade, "c").result(5)
    outbox.close()
    with closing(psycopg.connect(url)) as line:
        rows = line.execute("SELECT place, ticket FROM dtms_intents").fetchall()
    assert rows == [("bot-127.0.0.1-9001", trade.ticket)]


def test_without_psycopg_it_is_said_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "core.postgres_outbox", None)
    with pytest.raises(OutboxFailed, match="needs psycopg: pip install"):
        production.open_shared_outbox("postgresql://h/db", "bot", None)
