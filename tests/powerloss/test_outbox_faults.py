"""The outbox on a disk that fails: it says so, shows nothing half-done, and goes on when it can."""

import errno
from contextlib import suppress

import pytest

from core.errors import OutboxFailed
from simulator.forgetful_disk import Act, ForgetfulDisk
from tests.powerloss.crashes import all_lost, image_of
from tests.powerloss.faults import CASES, faults, mend
from tests.powerloss.outbox_life import (
    WAIT_S,
    Told,
    asked,
    lived,
    opened,
    shown,
    steps,
    told_after,
    trade,
    writes,
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
            assert [future in failed for future in futures] == writes(told, step)
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
    life = lived(path, 5, 30)
    return life.disk.after_kill(life.acked[-1])


def tries(path, act, files) -> int:
    disk = ForgetfulDisk(files)
    suffered(disk, path, found(files, path))
    return disk.tried[act]


def found(files, path) -> Told:
    outbox = opened(ForgetfulDisk(files), path)
    outbox.close()
    return shown(outbox)


TOLD_SHARE_MIN = {Act.READ: 0.5, Act.WRITE: 0.5, Act.SYNC: 0.5}
"""Of what fails at these, so much at least is told; the rest is of checkpoints, which nobody needs
to know of while the log has it all."""


@pytest.mark.parametrize(("act", "code", "begun"), CASES)
def test_every_fault_is_told_and_outlived(path, set_aside, act, code, begun) -> None:
    start = files(path).files if begun else {}
    before = found(start, path)
    failures = tried = 0
    for fault in faults(act, code, tries(path, act, start)):
        disk = ForgetfulDisk(start, trouble=fault)
        told_failures, left, told = suffered(disk, path, before)
        failures, tried = failures + told_failures, tried + 1
        for image in {image_of(crash) for crash in left}:
            assert found(dict(image), path) == told, fault
        assert set_aside() == [], fault
    assert tried
    assert failures >= tried * TOLD_SHARE_MIN.get(act, 0.0)


def test_a_failed_commit_may_be_found_after_a_crash_all_the_same(path) -> None:
    """What failed is not shown; that it never happened is not promised: the commit was written,
    and only its sync failed."""
    disk = ForgetfulDisk()
    outbox = opened(disk, path)
    disk.trouble = lambda act, _nth: errno.EIO if act is Act.SYNC else 0
    assert outbox.put(trade(1), "c").exception(WAIT_S) is not None
    assert shown(outbox) == {}
    left = disk.after_kill()
    mend(disk)
    outbox.close()
    assert set(found(left.files, path)) == {1}


def test_a_disk_without_room_is_told_until_there_is_some(path) -> None:
    disk = ForgetfulDisk()
    outbox = opened(disk, path)
    disk.room_bytes = 0
    for ticket in (1, 2):
        with pytest.raises(OutboxFailed, match="database or disk is full"):
            outbox.put(trade(ticket), "c").result(WAIT_S)
    assert shown(outbox) == {}
    disk.room_bytes = None
    outbox.put(trade(3), "c").result(WAIT_S)
    outbox.close()
    assert set(found(disk.after_power_loss(all_lost).files, path)) == {3}


def test_an_outbox_whose_power_goes_tells_what_the_history_tells(path) -> None:
    """Cut while it runs, at any operation, the disk is as if the history had been cut there."""
    whole = lived(path, 3, len(STEPS))
    for at in range(0, len(whole.disk.history), 7):
        disk = ForgetfulDisk(power_until=at)
        with suppress(OutboxFailed):
            outbox = opened(disk, path)
            for step in STEPS:
                for future in asked(outbox, step):
                    future.exception(WAIT_S)
            outbox.close()
        assert [type(o) for o in disk.history] == [type(o) for o in whole.disk.history[:at]]
        assert found(disk.after_power_loss(all_lost).files, path) in whole.allowed(at)
