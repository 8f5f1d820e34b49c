"""Several processes on one database; and a database that goes, hangs, or loses an answer."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing

import msgspec
import psycopg
import pytest

from chaos.faults import DatabaseTrouble
from chaos.postgres.database import PostgresDatabase
from simulator.ledger import registration_of
from simulator.persistence import StoreDoubtful, StoreFailed
from simulator.postgres_store import SCHEMA_VERSION, PostgresLimits, PostgresStore
from simulator.request import EnableRequest
from simulator.states import State

LIMITS = PostgresLimits(connections=2, connect_s=1.0, lock_s=0.3, statement_s=1.0, answer_s=1.5)
INSTANCES = 3
TICKETS = 200


def row(ticket: int, **changed: object):
    request = EnableRequest(ticket, "X", "BUY", 2.0, 1.0)
    return msgspec.structs.replace(registration_of(request, "2026-01-01T00:00:00"), **changed)


@pytest.fixture
def url(make_database) -> str:
    return make_database()


@asynccontextmanager
async def opened(url: str, name: str = "one", **given: object) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(url, name, **{"limits": LIMITS, **given})  # type: ignore[arg-type]
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(url) -> AsyncIterator[PostgresStore]:
    async with opened(url) as made:
        yield made


@pytest.fixture
async def other(url, store) -> AsyncIterator[PostgresStore]:
    """Another process's store on the same database."""
    async with opened(url, "two") as made:
        yield made


# ---- the database decides


async def test_of_two_that_claim_a_ticket_the_database_has_one_be_first(store, other) -> None:
    mine, yours = row(1, volume=1.0), row(1, volume=2.0)
    held = await asyncio.gather(store.swap(None, mine), other.swap(None, yours))
    assert sorted(one is None for one in held) == [False, True]
    winner = mine if held[0] is None else yours
    assert [one for one in held if one is not None] == [winner]
    assert await store.rows() == (winner,)


async def test_even_where_both_say_the_same_at_the_same_moment(store, other) -> None:
    claims = [s.swap(None, row(n)) for n in range(1, 200) for s in (store, other, store)]
    firsts = Counter()
    for n, held in enumerate(await asyncio.gather(*claims)):
        firsts[n // 3 + 1] += held is None
    assert set(firsts.values()) == {1}


async def test_a_change_is_made_of_what_was_named_or_not_at_all(store, other) -> None:
    await store.swap(None, row(1))
    warned, closed = row(1, state=State.WARNING_L1), row(1, state=State.CLOSED)
    assert await store.swap(row(1), warned) is None
    assert await other.swap(row(1), closed) == warned
    assert await other.swap(row(1), warned) is None, "somebody did exactly that already"
    assert await other.swap(warned, closed) is None
    assert await store.find(1) == closed


async def test_a_change_of_what_is_gone_fails(store) -> None:
    with pytest.raises(StoreFailed, match="ticket 1 is stored no more"):
        await store.swap(row(1), row(1, state=State.CLOSED))


async def test_many_changes_in_every_order_lock_each_other_out_in_none(store, other) -> None:
    await store.save([row(n) for n in range(1, 101)])
    changes = [
        s.swap(row(n), row(n, state=State.CLOSED, last_updated=str(s)))
        for n in range(1, 101)
        for s, n in ((store, n), (other, 101 - n))
    ]
    held = await asyncio.gather(*changes)
    assert sum(one is None for one in held) == 100


async def test_what_is_not_there_is_not_found(store) -> None:
    assert await store.find(9) is None
    assert await store.rows() == ()


async def test_numbers_and_words_come_back_exactly(store) -> None:
    odd = row(
        2**63 - 1,
        symbol="a\"b\\c,{}'%s ü",
        entry_price=0.1 + 0.2,
        volume=5e-324,
        stop_loss=1.7976931348623157e308,
    )
    assert await store.swap(None, odd) is None
    assert await store.swap(odd, msgspec.structs.replace(odd, state=State.CLOSED)) is None
    assert await store.find(odd.ticket) == msgspec.structs.replace(odd, state=State.CLOSED)


async def test_commits_are_durable_even_where_somebody_turned_that_off(url) -> None:
    async with opened(f"{url}%20-csynchronous_commit%3Doff") as store:
        line = await store._connect()
        async with line:
            shown = await (await line.execute("SHOW synchronous_commit")).fetchone()
    assert shown == ("on",)


# ---- the schema


async def test_a_later_schema_is_refused_and_left_as_it_is(store, url) -> None:
    with closing(psycopg.connect(url, autocommit=True)) as line:
        line.execute("UPDATE dtms_store_schema SET version = %s", (SCHEMA_VERSION + 1,))
        with pytest.raises(StoreFailed, match=f"later version .schema {SCHEMA_VERSION + 1}"):
            await PostgresStore(url, "late").open()
        assert line.execute("SELECT version FROM dtms_store_schema").fetchone() == (
            SCHEMA_VERSION + 1,
        )


async def test_many_may_make_the_schema_at_once(url) -> None:
    stores = [PostgresStore(url, str(n), limits=LIMITS) for n in range(5)]
    assert await asyncio.gather(*(store.open() for store in stores)) == [()] * 5
    for store in stores:
        await store.close()


async def test_a_row_that_nobody_can_read_is_told(store, url) -> None:
    await store.save((row(1),))
    with closing(psycopg.connect(url, autocommit=True)) as line:
        line.execute("UPDATE dtms_trades SET state = 'HAPPY'")
    with pytest.raises(StoreFailed, match="HAPPY"):
        await store.find(1)
    await store.swap(None, row(2))


# ---- an answer that is lost


async def test_a_commit_without_an_answer_is_asked_about_and_was_ours(lossy) -> None:
    proxy, url, direct = lossy
    async with opened(url, "one") as store, opened(direct, "two") as other:
        proxy.armed = True
        assert await store.swap(None, row(1)) is None
        assert proxy.lost == 1
        assert await store.swap(None, row(1)) == row(1)
        proxy.armed = True
        assert await store.swap(row(1), row(1, state=State.CLOSED)) is None
        assert proxy.lost == 2
        assert await other.rows() == (row(1, state=State.CLOSED),)


async def test_what_another_stored_is_never_taken_for_ours(lossy) -> None:
    proxy, url, direct = lossy
    async with opened(direct, "two") as other, opened(url, "one") as store:
        await other.swap(None, row(1))
        proxy.armed = True
        held = await asyncio.gather(store.swap(None, row(1)), store.swap(None, row(2)))
    assert proxy.lost == 1
    assert held == [row(1), None]


async def test_where_nobody_can_be_asked_it_is_not_known(lossy) -> None:
    proxy, url, direct = lossy
    proxy.refuse = True
    async with opened(url, "one") as store, opened(direct, "two") as other:
        proxy.armed = True
        with pytest.raises(StoreDoubtful):
            await store.swap(None, row(1))
        assert await other.rows() == (row(1),)
        proxy.refuse = False
        assert await store.swap(None, row(1)) == row(1)


async def test_a_client_is_told_503_and_finds_it_registered(lossy, engine_of) -> None:
    proxy, url, _direct = lossy
    proxy.refuse = True
    async with engine_of(PostgresStore(url, "one", limits=LIMITS)) as running:
        proxy.armed = True
        first = await running.enable()
        assert (first.status_code, first.json()["error"]) == (503, "not_confirmed")
        assert first.headers["Retry-After"] == "1"
        assert running.engine.ledger.active_count == 0
        proxy.refuse = False
        again = await running.enable()
        assert (again.status_code, again.json()["already_registered"]) == (200, True)
        assert (await running.client.get("/dtms/trade/1001")).status_code == 200


# ---- several engines


@pytest.fixture
async def engines(url, engine_of):
    """Engines on one database, as in processes of their own."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(engine_of(PostgresStore(url, str(n), limits=LIMITS)))
            for n in range(INSTANCES)
        ]


async def test_a_ticket_sent_through_all_is_new_once(engines) -> None:
    for first in range(1, TICKETS + 1, 25):
        tickets = range(first, first + 25)
        sent = [each.enable(ticket=n) for n in tickets for each in engines]
        answers = [response.json() for response in await asyncio.gather(*sent)]
        new = Counter(a["trade_info"]["ticket"] for a in answers if not a["already_registered"])
        assert new == Counter(tickets)


async def test_of_different_trades_under_a_ticket_one_wins_everywhere(engines) -> None:
    for first in range(1, TICKETS + 1, 25):
        tickets = range(first, first + 25)
        sent = [
            each.enable(ticket=n, volume=1.0 + k) for n in tickets for k, each in enumerate(engines)
        ]
        answers = await asyncio.gather(*sent)
        for k in range(0, len(answers), INSTANCES):
            same = answers[k : k + INSTANCES]
            assert sorted(a.status_code for a in same) == [200, 409, 409]
            (won,) = [a.json()["trade_info"] for a in same if a.status_code == 200]
            assert all(a.json()["details"] == won for a in same if a.status_code == 409)


async def test_what_one_registers_the_others_know(engines) -> None:
    one, two, _three = engines
    await one.enable()
    found = await two.client.get("/dtms/trade/1001")
    assert found.json()["trade_info"]["ticket"] == 1001
    assert (await two.client.get("/dtms/trade/7")).status_code == 404
    assert (await two.client.delete("/dtms/trade/7")).status_code == 404
    assert (await two.client.get("/dtms/trade/0")).status_code == 422


async def test_what_one_closes_is_closed_for_all(engines) -> None:
    one, two, three = engines
    await one.enable()
    await three.enable()
    closed = await two.client.delete("/dtms/trade/1001")
    assert closed.json()["state"] == "CLOSED"
    assert (await one.client.get("/dtms/trade/1001")).json()["state"] == "CLOSED"
    again = (await three.enable()).json()
    assert (again["already_registered"], again["trade_info"]["state"]) == (True, "CLOSED")
    assert (await one.client.delete("/dtms/trade/1001")).json() == closed.json()


async def test_closed_through_all_at_once_it_is_closed_once(engines) -> None:
    await engines[0].enable()
    closed = await asyncio.gather(*(each.client.delete("/dtms/trade/1001") for each in engines * 2))
    assert len({response.text for response in closed}) == 1
    told = [a for each in engines for a in each.engine.ledger.actions if a.action == "closed"]
    assert len(told) == 1


async def test_a_change_on_stale_knowledge_is_made_of_what_is_there(engines) -> None:
    one, two, _three = engines
    await one.enable()
    known = one.engine.ledger.get(1001)
    await two.engine.move(await two.engine.find(1001), State.WARNING_L1, "test")
    after = await one.engine.move(known, State.CLOSED, "test")
    assert after.state is State.CLOSED


async def test_all_monitor_what_any_registered(url, engine_of, table_broker, position) -> None:
    async with (
        engine_of(PostgresStore(url, "one", limits=LIMITS), broker=table_broker) as one,
        engine_of(PostgresStore(url, "two", limits=LIMITS), broker=table_broker) as two,
    ):
        table_broker.positions_by_ticket = {1001: position()}
        await one.enable()
        await two.engine.monitor.cycle()
        assert two.engine.ledger.active_count == 1
        table_broker.positions_by_ticket = {}
        await asyncio.gather(one.engine.monitor.cycle(), two.engine.monitor.cycle())
        for each in (one, two):
            assert (await each.client.get("/dtms/trade/1001")).json()["state"] == "CLOSED"
            assert each.engine.ledger.active_count == 0
        closings = [
            action
            for each in (one, two)
            for action in each.engine.ledger.actions
            if action.action == "closed"
        ]
        assert len(closings) == 1


async def test_who_starts_beside_another_undoes_nothing_of_it(
    url, engine_of, table_broker, position
) -> None:
    async with engine_of(PostgresStore(url, "one", limits=LIMITS)) as one:
        await one.enable()
        await one.enable(ticket=2)
        await one.engine.move(one.engine.ledger.get(2), State.WARNING_L1, "test")
        table_broker.positions_by_ticket = {2: position(2), 3: position(3)}
        async with engine_of(PostgresStore(url, "two", limits=LIMITS), broker=table_broker) as two:
            states = {}
            for each in (one, two):
                for n in (1001, 2, 3):
                    found = await each.client.get(f"/dtms/trade/{n}")
                    states[each is one, n] = found.json()["state"]
    assert states == {
        (is_one, n): state
        for is_one in (True, False)
        for n, state in ((1001, "CLOSED"), (2, "WARNING_L1"), (3, "HEALTHY"))
    }


class MeddlingBroker:
    """While it is asked for the first time, somebody else does something."""

    def __init__(self, positions, meddle) -> None:
        self._positions = positions
        self._meddle = meddle

    async def positions(self):
        meddle, self._meddle = self._meddle, None
        if meddle is not None:
            await meddle()
        return self._positions


async def test_what_another_changes_during_a_recovery_is_recovered_as_it_is_then(
    url, engine_of, position
) -> None:
    async with engine_of(PostgresStore(url, "one", limits=LIMITS)) as one:
        await one.enable(ticket=2)
        await one.enable(ticket=3)

        async def meddle() -> None:
            await one.engine.move(one.engine.ledger.get(2), State.WARNING_L1, "test")
            await one.client.delete("/dtms/trade/3")
            await one.enable(ticket=4, volume=0.4)

        broker = MeddlingBroker(
            {2: position(2, volume=0.2), 3: position(3, volume=0.3), 5: position(5)}, meddle
        )
        async with engine_of(PostgresStore(url, "two", limits=LIMITS), broker=broker) as two:
            rows = {row.ticket: row for row in await two.engine.store.rows()}
            assert two.engine.ledger.active_count == 3
    assert [(n, rows[n].state.value, rows[n].volume) for n in sorted(rows)] == [
        (2, "WARNING_L1", 0.2),
        (3, "CLOSED", 0.5),
        (4, "HEALTHY", 0.4),
        (5, "HEALTHY", 0.5),
    ]


async def test_several_that_adopt_at_once_adopt_once(url, engine_of, position) -> None:
    broker = MeddlingBroker({n: position(n) for n in range(1, 101)}, None)
    async with AsyncExitStack() as stack:
        started = [
            stack.enter_async_context(
                engine_of(PostgresStore(url, str(n), limits=LIMITS), broker=broker)
            )
            for n in range(INSTANCES)
        ]
        engines = await asyncio.gather(*started)
        memories = [each.engine.ledger.all() for each in engines]
        assert memories[0] == memories[1] == memories[2]
        assert len(memories[0]) == 100


# ---- a database that fails


async def healthy(running) -> bool:
    return (await running.client.get("/health")).status_code == 200


async def heals(running) -> None:
    async with asyncio.timeout(20):
        while not await healthy(running):  # noqa: ASYNC110 - what heals is another process
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("how", ["killed", "frozen", "exhausted", "locked"])
async def test_while_it_fails_nothing_is_registered_and_then_it_heals(
    own_postgres, engine_of, how
) -> None:
    url = own_postgres.make_schema("here")
    database = PostgresDatabase(own_postgres, lock=("here.dtms_trades",))
    async with engine_of(PostgresStore(url, "one", limits=LIMITS)) as running:
        await running.enable(ticket=1)
        undo = await DatabaseTrouble(how).inflict(database)
        async with asyncio.timeout(8):
            refused = await running.enable()
        assert (refused.status_code, refused.json()["error"]) == (503, "not_persisted")
        assert running.engine.ledger.get(1001) is None
        async with asyncio.timeout(8):
            looked = await running.client.get("/dtms/trade/1")
        assert (looked.status_code, looked.json()["error"]) == (503, "not_readable")
        async with asyncio.timeout(8):
            assert not await healthy(running)
            ready = await running.client.get("/dtms/health")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        await undo()
        await heals(running)
        assert (await running.client.get("/dtms/trade/1001")).status_code == 404
        assert (await running.enable()).json()["already_registered"] is False
        assert (await running.client.get("/dtms/trade/1")).status_code == 200


async def test_a_fail_over_costs_nobody_an_answer(own_postgres, engine_of) -> None:
    url = own_postgres.make_schema("here")
    async with engine_of(PostgresStore(url, "one", limits=LIMITS)) as running:
        for n in range(1, 11):
            await running.enable(ticket=n)
            await DatabaseTrouble("cut-off").inflict(PostgresDatabase(own_postgres))
            answer = await running.enable(ticket=100 + n)
            assert (answer.status_code, answer.json()["already_registered"]) == (200, False)


async def test_health_tells_that_it_is_gone_though_nobody_registers(
    own_postgres, engine_of
) -> None:
    async with engine_of(PostgresStore(own_postgres.url, "one", limits=LIMITS)) as running:
        assert await healthy(running)
        own_postgres.kill()
        await asyncio.sleep(0.11)  # health asks no more often than that
        assert not await healthy(running)
        own_postgres.start()
        await heals(running)


async def test_a_database_that_is_not_there_is_told_at_the_start(own_postgres) -> None:
    own_postgres.kill()
    with pytest.raises(StoreFailed, match="refused") as refused:
        await PostgresStore(own_postgres.url, "one", limits=LIMITS).open()
    assert own_postgres._password not in str(refused.value)


# ---- processes


async def through(client, url: str, ticket: int, **changed: object):
    import httpx

    body = {"ticket": ticket, "symbol": "X", "direction": "BUY", "entry": 2.0, "volume": 1.0}
    try:
        return await client.post(f"{url}/dtms/trade/enable", json=body | changed)
    except httpx.TransportError:
        return None


@pytest.fixture
def api_on(simulate):
    """Starts DTMS API processes on a database, and waits until they are ready."""
    readers = []

    def run(url: str):
        process = simulate("--no-rate-limit", DTMS_DATABASE_URL=url)
        process.until("ready")
        # What it logs is read: a full pipe would stop it.
        readers.append((process, threading.Thread(target=process.popen.stderr.read)))
        readers[-1][1].start()
        return process

    yield run
    for process, reader in readers:
        process.kill()
        reader.join()


async def test_three_processes_say_new_once(url, api_on, http) -> None:
    apis = [api_on(url) for _ in range(INSTANCES)]
    for first in range(1, TICKETS + 1, 20):
        tickets = range(first, first + 20)
        sent = [through(http, api.url, n) for n in tickets for api in apis]
        sent += [through(http, api.url, 10_000 + n, volume=k + 1.0)
                 for n in tickets for k, api in enumerate(apis)]  # fmt: skip
        answers = await asyncio.gather(*sent)
        same, different = answers[: 20 * INSTANCES], answers[20 * INSTANCES :]
        assert [a.status_code for a in same] == [200] * len(same)
        assert sum(not a.json()["already_registered"] for a in same) == 20
        assert Counter(a.status_code for a in different) == {200: 20, 409: 40}


KILLS = 20


async def test_killed_amid_load_twenty_times_nothing_acknowledged_is_lost_and_none_is_new_twice(
    own_postgres, api_on, http
) -> None:
    apis = [api_on(own_postgres.url) for _ in range(2)]
    acknowledged: Counter[int] = Counter()
    new: Counter[int] = Counter()
    done = asyncio.Event()
    tickets = iter(range(1, 1_000_000))

    async def register(ticket: int) -> None:
        """As a client does: again until it is certain; through another instance each time."""
        for attempt in range(1000):
            answer = await through(http, apis[attempt % 2].url, ticket)
            if answer is not None and answer.status_code == 200:
                acknowledged[ticket] += 1
                new[ticket] += not answer.json()["already_registered"]
                return
            assert answer is None or answer.status_code == 503, answer.text
            await asyncio.sleep(0.02)
        pytest.fail(f"{ticket} was never registered")

    async def load() -> None:
        while not done.is_set():
            await register(next(tickets))

    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(load())
        for _kill in range(KILLS):
            before = len(acknowledged)
            async with asyncio.timeout(20):
                while len(acknowledged) < before + 10:  # noqa: ASYNC110 - of six at once
                    await asyncio.sleep(0.005)
            own_postgres.kill()
            own_postgres.launch()
            await asyncio.to_thread(own_postgres.wait_until_ready)
        done.set()
    with closing(psycopg.connect(own_postgres.url)) as line:
        rows = {n for (n,) in line.execute("SELECT ticket FROM dtms_trades")}
    assert set(acknowledged) <= rows
    assert max(new.values()) == 1
    assert len(acknowledged) >= KILLS * 10


def test_without_a_database_the_process_ends(simulate, own_postgres) -> None:
    own_postgres.kill()
    process = simulate(DTMS_DATABASE_URL=own_postgres.url)
    assert process.popen.wait(timeout=30) == 1


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("mysql://root:secret@h/db", "DTMS_DATABASE_URL must begin with postgresql://"),
        ("postgresql://u:secret@h/db?colour=blue", "DTMS_DATABASE_URL is no address of a database"),
    ],
)
def test_a_bad_address_is_refused_without_showing_it(simulate, value, sentence) -> None:
    process = simulate(listens=False, DTMS_DATABASE_URL=value)
    assert process.popen.wait(timeout=30) == 2
    said = process.popen.stderr.read().decode()
    assert sentence in said
    assert "secret" not in said
