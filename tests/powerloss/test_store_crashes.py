"""The store keeps what it acknowledged, whatever takes the power and whenever."""

import asyncio
from collections.abc import Iterator

import pytest

from simulator.forgetful_disk import ForgetfulDisk
from tests.powerloss.crashes import CRASHES_EACH, Life, Tried
from tests.powerloss.store_life import found, lived, reopened

POINTS_MIN = 200
"""Crash points of one run of the suite at least, each crashed CRASHES_EACH times."""
SECOND_POINTS_MIN = 1000
"""Crash points of recoveries from first crashes."""


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.parametrize("checkpoint_pages", [1000, 4])
def test_acknowledged_is_kept_at_every_crash(path, set_aside, runner, checkpoint_pages) -> None:
    tried = Tried()
    for seed in range(4):
        life = lived(path, seed, 8, checkpoint_pages=checkpoint_pages)
        tried.judge(life, lambda left: runner.run(found(left, path)))
    assert tried.losses == []
    assert set_aside() == []
    assert tried.points >= POINTS_MIN
    assert tried.crashes == tried.points * CRASHES_EACH


def test_a_crash_while_recovering_from_a_crash_changes_nothing(path, runner) -> None:
    first, second = Tried(), Tried()
    first.judge(lived(path, 7, 4, checkpoint_pages=4), lambda _left: None)
    for image in first.seen:
        disk = ForgetfulDisk(dict(image))
        before = runner.run(reopened(disk, path))
        second.judge(Life(disk, [before], [0]), lambda left: runner.run(reopened(left, path)))
    assert second.losses == []
    assert second.points >= SECOND_POINTS_MIN
