"""The suite can say no: it finds what is known to lose acknowledged changes."""

import asyncio
import threading
from concurrent.futures import Future
from dataclasses import replace

import pytest

from core.sqlite_outbox import SqliteOutbox
from tests.powerloss import outbox_life, store_life
from tests.powerloss.crashes import Life, Tried, all_lost

SEEDS = range(6)
STEPS = 8


def less_careful(level: str) -> dict[str, dict[str, str]]:
    return {"instead": {"PRAGMA synchronous=FULL": f"PRAGMA synchronous={level}"}}


def shown_by_outbox(path):
    def look(left):
        outbox = outbox_life.opened(left, path)
        outbox.close()
        return outbox_life.shown(outbox)

    return look


def shown_by_store(path):
    def look(left):
        return asyncio.run(store_life.reopened(left, path))

    return look


SUBJECTS = [(outbox_life.lived, shown_by_outbox), (store_life.lived, shown_by_store)]


def lost_after_ack(lives: list[Life], shown) -> float:
    """The share of acknowledged steps that are gone where the power goes right after, and takes
    all that was not synced."""
    lost = [
        shown(life.disk.after_power_loss(all_lost, at=at)) != told
        for life in lives
        for told, before, at in zip(life.told[1:], life.told, life.acked[1:], strict=False)
        if told != before
    ]
    return sum(lost) / len(lost)


@pytest.mark.parametrize(("lived", "shown"), SUBJECTS, ids=["outbox", "store"])
@pytest.mark.parametrize(
    ("level", "share_min", "share_max"),
    [("EXTRA", 0.0, 0.0), ("FULL", 0.0, 0.0), ("NORMAL", 0.9, 1.0), ("OFF", 0.9, 1.0)],
)
def test_less_than_full_care_loses_what_was_acknowledged(
    path, lived, shown, level, share_min, share_max
) -> None:
    lives = [lived(path, seed, STEPS, **less_careful(level)) for seed in SEEDS]
    share = lost_after_ack(lives, shown(path))
    assert share_min <= share <= share_max


@pytest.mark.parametrize(("lived", "shown"), SUBJECTS, ids=["outbox", "store"])
def test_the_crash_suite_finds_it_too(path, lived, shown) -> None:
    tried = Tried()
    tried.judge(lived(path, 1, STEPS, **less_careful("NORMAL")), shown(path))
    assert len(tried.losses) > 0.2 * tried.crashes


def test_an_outbox_that_acknowledges_before_its_commit_is_found(path) -> None:
    noted = threading.Semaphore(0)

    class Eager(SqliteOutbox):
        """Planted: the acknowledgement comes first, and the commit when it has been noted."""

        def _commit(self, batch) -> None:
            for item in batch:
                _intent, result, _unwritten = item.change(self._intents.get(item.ticket))
                item.future.set_result(result)
            noted.acquire()
            super()._commit([replace(item, future=Future()) for item in batch])

    life = outbox_life.lived(path, 1, STEPS, Eager, noted.release)
    tried = Tried()
    tried.judge(life, shown_by_outbox(path))
    assert tried.losses
    assert lost_after_ack([life], shown_by_outbox(path)) == 1.0
