"""The store on a disk that fails: it says so, keeps nothing half-done, and goes on when it can."""

import asyncio
from collections.abc import Iterator

import pytest

from simulator.forgetful_disk import Act, ForgetfulDisk
from simulator.store import SqliteStore, StoreFailed
from tests.powerloss.crashes import all_lost, image_of
from tests.powerloss.faults import CASES, faults, mend
from tests.powerloss.store_life import (
    EXCLUSIVE,
    Told,
    by_ticket,
    lived,
    made,
    reopened,
    steps,
    told_after,
)

STEPS = steps(3, 6)
SMALL_CACHE = {"first": (*EXCLUSIVE, "PRAGMA cache_size=1"), "checkpoint_pages": 4}
"""So that the disk is read, and the log put into the database, at every step."""

TOLD_SHARE_MIN = {Act.READ: 0.5, Act.WRITE: 0.5, Act.SYNC: 0.5}
"""Of what fails at these, so much at least is told; the rest is of checkpoints, which nobody needs
to know of while the log has it all."""


@pytest.fixture
def run() -> Iterator:
    with asyncio.Runner() as runner:
        yield runner.run


async def suffered(disk: ForgetfulDisk, path, told: Told) -> tuple[int, list[ForgetfulDisk], Told]:
    """Lives on the disk, mends it once the store has told of a failure, and asks again then: how
    often it told, what crashes then leave, and what must be found on that."""
    failures = 0
    store: SqliteStore = made(disk, path, **SMALL_CACHE)
    try:
        rows = await store.open()
    except StoreFailed:
        failures += 1
        mend(disk)
        rows = await store.open()
    assert by_ticket(rows) == told
    for step in STEPS:
        try:
            await store.save(*step)
        except StoreFailed:
            failures += 1
            assert not store.writable
            mend(disk)
            assert await store.probe()
            assert store.writable
            await store.save(*step)
        told = told_after(told, step)
    left = [disk.after_kill(), disk.after_power_loss(all_lost)]
    await store.close()
    left += [disk.after_kill(), disk.after_power_loss(all_lost)]
    return failures, left, told


@pytest.mark.parametrize(("act", "code", "begun"), CASES)
def test_every_fault_is_told_and_outlived(path, set_aside, run, act, code, begun) -> None:
    start = {}
    if begun:
        life = lived(path, 5, 30)
        start = life.disk.after_kill(life.acked[-1]).files
    before = run(reopened(ForgetfulDisk(start), path))
    counted = ForgetfulDisk(start)
    run(suffered(counted, path, before))
    failures = tried = 0
    for fault in faults(act, code, counted.tried[act]):
        told_failures, left, told = run(suffered(ForgetfulDisk(start, trouble=fault), path, before))
        failures, tried = failures + told_failures, tried + 1
        for image in {image_of(crash) for crash in left}:
            assert run(reopened(ForgetfulDisk(dict(image)), path)) == told, fault
        assert set_aside() == [], fault
    assert tried
    assert failures >= tried * TOLD_SHARE_MIN.get(act, 0.0)
