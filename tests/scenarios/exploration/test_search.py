"""A search ends when it should, counts what it played, and keeps what it found."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from typing import Any

import pytest

from scenarios.exploration import search as module
from scenarios.exploration.search import BATCH, SHRUNK_MAX, Limits, Tally, explore
from scenarios.exploration.seedling import Seedling
from scenarios.zoo.planted import NEVER_HALF_OPENS
from tests.scenarios.exploration.conftest import Inline

GOOD = (Seedling("registered-again", 0),)
BAD = (Seedling("flapping", 0, parts=NEVER_HALF_OPENS.name),)
IMPOSSIBLE = (Seedling("registered-again", 0, client="json:dumps"),)


def searched(
    inline: Inline,
    fresh: tuple[Seedling, ...],
    limits: Limits,
    tell: Callable[[Tally], None] = lambda _tally: None,
) -> Tally:
    return explore(inline, 1, fresh, 1, limits, tell)


@pytest.mark.parametrize("episodes", [1, BATCH, BATCH + 1, 40])
def test_exactly_so_many_episodes_are_played(inline, episodes) -> None:
    tally = searched(inline, GOOD, Limits(episodes))
    assert tally.episodes == episodes
    assert tally.by_fidelity == {"message": episodes}
    assert tally.by_scenario == {"registered-again": episodes}
    assert not tally.interrupted


def test_after_so_many_seconds_no_more_are_begun(inline, monkeypatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    tally = searched(inline, GOOD, Limits(seconds=8))
    assert 1 <= len(inline.jobs) <= 8
    assert tally.episodes == len(inline.jobs) * BATCH


def test_whichever_limit_comes_first_ends_it(inline) -> None:
    assert searched(inline, GOOD, Limits(8, 3_600)).episodes == 8


def test_the_first_failure_can_be_the_limit(inline) -> None:
    tally = searched(inline, BAD, Limits(first_failure=True))
    assert tally.finds
    assert inline.jobs.count("play_batch") <= 3


def test_one_seed_searches_one_way(inline) -> None:
    one, other = (searched(Inline(), BAD, Limits(32)) for _ in range(2))
    assert one.failed == other.failed
    assert one.behaviours == other.behaviours
    assert [find.small.case for find in one.finds] == [find.small.case for find in other.finds]


def test_behaviours_are_counted(inline) -> None:
    assert 1 < searched(inline, BAD, Limits(32)).behaviours <= 32


def test_of_failures_alike_only_some_are_made_small(inline) -> None:
    tally = searched(inline, BAD, Limits(48))
    key = ("flapping", "unprotected_time_is_bounded")
    assert tally.failed[key] > SHRUNK_MAX
    assert len(tally.finds) == SHRUNK_MAX == inline.jobs.count("shrink_failure")


def test_what_could_not_be_played_is_kept_and_counted(inline) -> None:
    tally = searched(inline, IMPOSSIBLE, Limits(48))
    assert (tally.episodes, tally.could_not) == (0, 48)
    assert len(tally.environment) == module.ENVIRONMENT_KEPT_MAX
    assert "EnvironmentFailed" in tally.environment[0][1]


def test_it_is_told_as_it_goes(inline) -> None:
    seen: list[int] = []
    searched(inline, GOOD, Limits(48), lambda tally: seen.append(tally.episodes))
    assert seen[-1] == 48
    assert seen == sorted(seen)


def test_ctrl_c_keeps_what_was_found(inline) -> None:
    def interrupt(tally: Tally) -> None:
        if tally.finds:
            raise KeyboardInterrupt

    tally = searched(inline, BAD, Limits(), interrupt)
    assert tally.interrupted
    assert tally.finds
    assert tally.episodes > 0


def test_a_failure_that_cannot_be_made_small_is_told_and_ends_nothing(inline, monkeypatch) -> None:
    def shrink_failure(_failure: object) -> None:
        raise RuntimeError("a bug in the shrinker")

    monkeypatch.setattr(module, "shrink_failure", shrink_failure)
    tally = searched(inline, BAD, Limits(48))
    assert tally.episodes == 48
    assert tally.finds == []
    assert sum(tally.failed.values()) > SHRUNK_MAX
    assert any("a bug in the shrinker" in why for _seedling, why in tally.environment)


def test_workers_that_are_gone_end_it_and_what_was_found_is_kept(inline) -> None:
    class Breaking(Inline):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            if len(self.jobs) >= 3:
                raise BrokenExecutor("a child process terminated abruptly")
            return super().submit(fn, *args, **kwargs)

    tally = searched(Breaking(), BAD, Limits())
    assert tally.lost == "a child process terminated abruptly"
    assert tally.failed
    assert not tally.interrupted
