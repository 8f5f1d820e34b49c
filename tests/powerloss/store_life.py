"""A run of the store on a forgetful disk, and what a store finds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import structs

from simulator.forgetful_disk import ForgetfulDisk
from simulator.forgetful_sqlite import SqliteOn
from simulator.ledger import Registration, registration_of
from simulator.request import EnableRequest
from simulator.states import State
from simulator.store import SqliteStore
from tests.powerloss.crashes import Life, all_lost

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EXCLUSIVE = ("PRAGMA locking_mode=EXCLUSIVE",)
"""The disk's files share no memory; exclusive, SQLite keeps the index of its log to itself. What it
writes and syncs is the same."""
Told = dict[int, Registration]
Step = tuple[Sequence[Registration], Sequence[int]]
"""Rows to be there and tickets to be gone: one transaction."""


def row(ticket: int, state: State = State.HEALTHY) -> Registration:
    request = EnableRequest(ticket, "X" * 300, "BUY", 2.0, 1.0)
    return structs.replace(registration_of(request, "2026-01-01T00:00:00"), state=state)


def steps(seed: int, count: int) -> list[Step]:
    chance = random.Random(seed)
    made: list[Step] = []
    for n in range(1, count + 1):
        rows = [row(n)]
        rows += [row(chance.randint(1, n), State.CLOSED) for _ in range(chance.randint(0, 2))]
        gone = [chance.randint(1, n)] if chance.random() < 0.3 else []
        made.append((rows, gone))
    return made


def told_after(told: Told, step: Step) -> Told:
    rows, gone = step
    after = told | {row.ticket: row for row in rows}
    return {ticket: row for ticket, row in after.items() if ticket not in gone}


def made(disk: ForgetfulDisk, path: Path, **given: object) -> SqliteStore:
    return SqliteStore(
        path.parent, lambda: NOW, connect=SqliteOn(disk, **{"first": EXCLUSIVE} | given)
    )


def by_ticket(rows: Sequence[Registration]) -> Told:
    return {row.ticket: row for row in rows}


def lived(path: Path, seed: int, count: int, **given: object) -> Life:
    """One save after the other, each waited for; then an orderly end."""
    life = Life(ForgetfulDisk())

    async def live() -> None:
        store = made(life.disk, path, **given)
        told = by_ticket(await store.open())
        life.note(told, len(life.disk.history))
        for step in steps(seed, count):
            await store.save(*step)
            told = told_after(told, step)
            life.note(told, len(life.disk.history))
        await store.close()

    asyncio.run(live())
    return life


async def reopened(disk: ForgetfulDisk, path: Path) -> Told:
    store = made(disk, path)
    rows = await store.open()
    await store.close()
    return by_ticket(rows)


async def found(disk: ForgetfulDisk, path: Path) -> Told:
    """Opens what is left, works on, loses the power again: what the first opening found."""
    store = made(disk, path)
    before = by_ticket(await store.open())
    assert store.set_aside is None
    assert await store.probe()
    await store.save((row(999),))
    left = disk.after_power_loss(all_lost)
    await store.close()
    assert await reopened(left, path) == before | {999: row(999)}
    return before
