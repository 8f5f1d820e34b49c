"""Who kills the process: nobody but what was handed in."""

import asyncio
import sqlite3

import pytest

from simulator.engine import Status
from simulator.lab import Lab
from simulator.ledger import registration_of
from simulator.request import EnableRequest
from simulator.store import SqliteStore


async def test_a_crash_during_recovery_is_the_one_handed_in(engine_at, until) -> None:
    died: list[bool] = []

    def crash(engine) -> None:
        Lab(engine, "sesame").inflict({"fault": "crash", "point": "during-recovery"})

    async with engine_at(before=crash, die=lambda: died.append(True)) as running:
        await until(lambda: died == [True])
        await asyncio.sleep(0)
        assert running.engine.status is Status.STARTING


@pytest.mark.parametrize("point", ["crash_before", "crash_after"])
async def test_the_sqlite_store_dies_on_the_side_of_the_commit_it_was_told(tmp_path, point) -> None:
    rows_at_death: list[int] = []

    def die() -> None:
        with sqlite3.connect(store.path) as seen:
            rows_at_death.extend(seen.execute("SELECT count(*) FROM trades").fetchone())
        seen.close()

    store = SqliteStore(tmp_path, lambda: None, die=die)  # type: ignore[arg-type,return-value]
    await store.open()
    setattr(store.faults, point, 2)
    await store.save((row(1),))
    assert await store.probe()
    assert rows_at_death == []
    await store.save((row(2),))
    assert rows_at_death == [1 if point == "crash_before" else 2]
    await store.close()


def row(ticket: int):
    return registration_of(EnableRequest(ticket, "X", "BUY", 2.0, 1.0), "2026-01-01T00:00:00")
