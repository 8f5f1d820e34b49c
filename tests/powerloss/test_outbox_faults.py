"""The outbox on a disk that fails: it says so, shows nothing half-done, and goes on when it can."""

import pytest

from core.errors import OutboxFailed
from simulator.forgetful_disk import ForgetfulDisk
from tests.powerloss.crashes import all_lost
from tests.powerloss.faults import FAULTS, Fault, faults, mend
from tests.powerloss.outbox_life import (
    WAIT_S,
    Told,
    asked,
    lived,
    opened,
    shown,
    steps,
    told_after,
)

STEPS = steps(3, 6)
SMALL_CACHE = {
    "first": ("PRAGMA locking_mode=EXCLUSIVE", "PRAGMA cache_size=1"),
    "checkpoint_pages": 4,
}
"""So that the disk is read, and the log put into the database, at every step."""


def suffered(disk: ForgetfulDisk, path, told: Told) -> tuple[int, list[ForgetfulDisk], Told]:
    """Lives on the disk, mends it once the outbox has told of a failure, and asks again then: how
    often it told, what crashes then leave, and what must be found on that."""
    failures = 0
    try:
        outbox = opened(disk, path, **SMALL_CACHE)
    except OutboxFailed:
        failures += 1
        mend(disk)
        outbox = opened(disk, path, **SMALL_CACHE)
    assert shown(outbox) == told
    for step in STEPS:
        futures = asked(outbox, step)
        if failed := [future for future in futures if future.exception(WAIT_S) is not None]:
            failures += 1
            assert len(failed) == len(futures)
            assert {type(future.exception()) for future in failed} == {OutboxFailed}
            assert shown(outbox) == told
            mend(disk)
            futures = asked(outbox, step)
        told = told_after(told, step, [future.result(WAIT_S) for future in futures][-1])
        assert shown(outbox) == told
    left = [disk.after_kill(), disk.after_power_loss(all_lost)]
    outbox.close()
    left += [disk.after_kill(), disk.after_power_loss(all_lost)]
    return failures, left, told


def files(path) -> ForgetfulDisk:
    """A disk on which an outbox was killed."""
    life = lived(path, 5, 12)
    return life.disk.after_kill(life.acked[-1])


def tries(path, act, files) -> int:
    disk = ForgetfulDisk(files)
    suffered(disk, path, found(files, path))
    return disk.tried[act]


def found(files, path) -> Told:
    outbox = opened(ForgetfulDisk(files), path)
    outbox.close()
    return shown(outbox)


@pytest.mark.parametrize("begun", [False, True], ids=["new", "killed"])
@pytest.mark.parametrize(("act", "code"), FAULTS)
def test_every_fault_is_told_and_outlived(
    path, set_aside, record_property, act, code, begun
) -> None:
    start = files(path).files if begun else {}
    before = found(start, path)
    failures = tried = 0
    for fault in faults(act, code, tries(path, act, start)):
        disk = ForgetfulDisk(start, trouble=fault)
        told_failures, left, told = suffered(disk, path, before)
        failures, tried = failures + told_failures, tried + 1
        for n, crash in enumerate(left):
            assert found(crash.files, path) == told, (fault, n)
        assert set_aside() == [], fault
    record_property("faults", tried)
    print("FAULTS", act, code, tried, failures)


def test_a_fault_reads_as_it_is_meant() -> None:
    assert Fault(*FAULTS[0], 2, lasting=True)(FAULTS[0][0], 3) == FAULTS[0][1]
    assert Fault(*FAULTS[0], 2, lasting=False)(FAULTS[0][0], 3) == 0
