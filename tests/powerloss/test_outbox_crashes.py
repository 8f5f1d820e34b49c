"""The outbox keeps what it acknowledged, whatever takes the power and whenever."""

import pytest

from simulator.forgetful_disk import ForgetfulDisk
from tests.powerloss.crashes import CRASHES_EACH, Life, Tried
from tests.powerloss.outbox_life import found, lived, opened, shown

POINTS_MIN = 300
"""Crash points of one run of the suite at least, each crashed CRASHES_EACH times."""
SECOND_POINTS_MIN = 1500
"""Crash points of recoveries from first crashes."""


@pytest.mark.parametrize("checkpoint_pages", [1000, 4])
def test_acknowledged_is_kept_at_every_crash(path, set_aside, checkpoint_pages) -> None:
    tried = Tried()
    for seed in range(4):
        tried.judge(lived(path, seed, 8, checkpoint_pages=checkpoint_pages), found(path))
    assert tried.losses == []
    assert set_aside() == []
    assert tried.points >= POINTS_MIN
    assert tried.crashes == tried.points * CRASHES_EACH


def test_a_crash_while_recovering_from_a_crash_changes_nothing(path) -> None:
    tried, second = Tried(), Tried()
    first = lived(path, 7, 4, checkpoint_pages=4)
    tried.judge(first, lambda _left: None)
    for image in tried.seen:
        disk = ForgetfulDisk(dict(image))
        outbox = opened(disk, path)
        before = shown(outbox)
        outbox.close()
        second.judge(Life(disk, [before], [0]), lambda left: shown_once(left, path))
    assert second.losses == []


def shown_once(disk, path):
    outbox = opened(disk, path)
    outbox.close()
    return shown(outbox)
