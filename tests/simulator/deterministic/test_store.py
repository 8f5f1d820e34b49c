"""What only the store on a simulated disk can be asked: power, syncs, deaths, virtual disks."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime

import pytest

from simulator.deterministic import store as stores
from simulator.deterministic.store import DiskStore
from simulator.engine import Engine, Status
from simulator.ledger import registration_of
from simulator.log import Log
from simulator.messages import Messages, Options
from simulator.persistence import StoreFailed
from simulator.request import EnableRequest


def now() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


def row(ticket: int):
    return registration_of(EnableRequest(ticket, "X", "BUY", 2.0, 1.0), "2026-01-01T00:00:00")


class Died(list[bool]):
    """How often the process was told to die."""

    def __call__(self) -> None:
        self.append(True)


@pytest.fixture
def died() -> Died:
    return Died()


@pytest.fixture
async def store(disk, died) -> DiskStore:
    opened = DiskStore(disk, now, die=died)
    await opened.open()
    return opened


async def tickets(disk) -> list[int]:
    """What the next process finds."""
    return [row.ticket for row in await DiskStore(disk, now, die=Died()).open()]


async def a_while() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_comes_during_a_sync_shares_the_next(store, fate) -> None:
    fate.points.clear()
    first = store.save((row(1),))
    await asyncio.sleep(0)
    assert fate.points == ["write", "written", "sync"]
    rest = [store.save((row(n),)) for n in range(2, 50)]
    await first
    assert not any(save.done() for save in rest)
    await asyncio.gather(*rest)
    assert fate.points.count("sync") == 2


async def test_a_batch_is_bounded(store, fate, monkeypatch) -> None:
    monkeypatch.setattr(stores, "BATCH_MAX", 2)
    fate.points.clear()
    await asyncio.gather(*(store.save((row(n),)) for n in range(1, 6)))
    assert fate.points.count("sync") == 3


async def test_too_many_waiting_saves_are_refused(store, monkeypatch) -> None:
    monkeypatch.setattr(stores, "QUEUE_MAX", 1)
    first = store.save((row(1),))
    with pytest.raises(StoreFailed, match="wait already"):
        await store.save((row(2),))
    await first


async def test_saves_make_no_tasks(store) -> None:
    before = asyncio.all_tasks()
    saves = [store.save((row(n),)) for n in range(1, 10)]
    assert asyncio.all_tasks() == before
    await asyncio.gather(*saves)


@pytest.mark.parametrize(("draw", "kept"), [(0.0, [1, 2]), (0.999, [1])])
async def test_a_loss_of_power_before_the_sync_loses_what_nobody_was_told(
    disk, fate, store, draw, kept
) -> None:
    await store.save((row(1),))
    fate.draws = {"power": draw, "torn": draw}
    fate.dies_at = "sync"
    saved = store.save((row(2),))
    await a_while()
    assert not saved.done()
    disk.lose_power()
    fate.is_alive, fate.dies_at = True, ""
    assert await tickets(disk) == kept


async def test_whatever_was_acknowledged_outlives_a_loss_of_power(disk, fate, store) -> None:
    fate.draws = {"power": 0.999}
    await store.save((row(1),))
    disk.lose_power()
    assert await tickets(disk) == [1]


@pytest.mark.parametrize(("point", "kept"), [("crash_before", []), ("crash_after", [1])])
async def test_a_crash_around_a_commit_acknowledges_nothing(
    disk, fate, store, died, point, kept
) -> None:
    fate.draws = {"power": 0.999}
    setattr(store.faults, point, 1)
    saved = store.save((row(1),))
    await a_while()
    assert died == [True]
    assert not saved.done()
    disk.lose_power()
    assert await tickets(disk) == kept


@pytest.mark.parametrize(
    ("fault", "words"),
    [("full", "No space"), ("fails", "Input/output"), ("read_only", "Read-only")],
)
async def test_a_disk_that_refuses_makes_the_store_fail_and_heals(
    disk, store, fault, words
) -> None:
    setattr(disk, fault, True)
    with pytest.raises(StoreFailed, match=words):
        await store.save((row(1),))
    assert not store.writable
    with pytest.raises(StoreFailed, match="cannot be opened"):
        await DiskStore(disk, now, die=Died()).open()
    setattr(disk, fault, False)
    await store.save((row(2),))
    assert store.writable
    assert await tickets(disk) == [2]


async def test_a_commit_whose_sync_failed_does_not_come_back(disk, fate, store) -> None:
    saved = store.save((row(1),))
    await asyncio.sleep(0)
    disk.fails = True
    with pytest.raises(StoreFailed):
        await saved
    disk.fails = False
    disk.lose_power()
    assert await tickets(disk) == []


async def test_a_lock_that_is_let_go_in_time_holds_nobody_up_for_good(store, monkeypatch) -> None:
    monkeypatch.setattr(stores, "BUSY_MS", 1)
    store.lock(True)
    saved = store.save((row(1),))
    await asyncio.sleep(0)
    store.lock(False)
    await saved


async def test_a_second_corruption_at_the_same_moment_is_told_and_overwrites_nothing(disk) -> None:
    await tickets(disk)
    disk.corrupt()
    assert await tickets(disk) == []
    disk.corrupt("dtms.db")
    with pytest.raises(StoreFailed, match="File exists"):
        await tickets(disk)


async def test_an_engine_lives_on_it(disk, died) -> None:
    async def started() -> tuple[Engine, Messages]:
        engine = Engine(
            DiskStore(disk, now, die=died),
            now=now,
            monotonic=lambda: 0.0,
            draw=lambda: 0.5,
            log=Log(now, io.StringIO()),
            die=died,
        )
        engine.start()
        await engine.initialize()
        assert engine.status is Status.READY
        return engine, Messages(engine, Options(rate_limit=False))

    engine, messages = await started()
    request = EnableRequest(7, "X", "BUY", 2.0, 1.0)
    replies = await asyncio.gather(*(messages.enable(request) for _ in range(3)))
    assert sorted(reply.body["already_registered"] for reply in replies) == [False, True, True]
    disk.full = True
    assert (await messages.request("DELETE", "/dtms/trade/7")).status == 503
    assert (await messages.dtms_health()).status == 503
    disk.full = False
    assert (await messages.request("DELETE", "/dtms/trade/7")).body["state"] == "CLOSED"
    await engine.aclose()
    again, messages = await started()
    assert messages.lookup(7).body["state"] == "CLOSED"
    await again.aclose()
