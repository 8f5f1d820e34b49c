"""Whoever is to die at a point dies there, at exactly that time."""

from __future__ import annotations

import pytest

from scenarios.worlds.sim import points as module
from scenarios.worlds.sim.points import Armed, Crossings


class Alive:
    """A process that goes on whatever happens, so that what comes after can be seen."""

    alive = True

    def stop_if_dead(self) -> None:
        """It is not."""


@pytest.fixture
def crossings(monkeypatch) -> Crossings:
    monkeypatch.setattr(module, "current_process", Alive)
    return Crossings(lambda: 0)


def deaths_at(crossings: Crossings, *lefts: int) -> list[tuple[int, int]]:
    """Which time it came to the point, and which of them struck."""
    struck: list[tuple[int, int]] = []
    now = 0
    for left in lefts:
        crossings.arm("bot", "sync", Armed(left, lambda left=left: struck.append((now, left))))
    reached = crossings.of("bot")
    for now in range(6):  # noqa: B007 - the deaths read it
        reached("sync")
        reached("write")
    return struck


@pytest.mark.parametrize("nth", range(4))
def test_it_dies_at_that_time_and_no_other(crossings, nth) -> None:
    assert deaths_at(crossings, nth) == [(nth, nth)]


def test_two_deaths_at_one_point_are_each_at_their_own_time(crossings) -> None:
    assert deaths_at(crossings, 1, 3) == [(1, 1), (3, 3)]


def test_two_deaths_at_one_time_are_one(crossings) -> None:
    assert deaths_at(crossings, 2, 2) == [(2, 2)]


def test_what_was_disarmed_does_not_strike(crossings) -> None:
    struck: list[str] = []
    crossings.arm("bot", "sync", Armed(0, lambda: struck.append("dead")))()
    crossings.of("bot")("sync")
    assert struck == []


def test_the_trail_counts_each_point_of_each_actor_for_itself(crossings) -> None:
    crossings.trail = []
    for actor, point in (("bot", "sync"), ("bot", "sync"), ("dtms", "sync"), ("bot", "write")):
        crossings.of(actor)(point)
    assert [(r.actor, r.point, r.nth) for r in crossings.trail] == [
        ("bot", "sync", 0),
        ("bot", "sync", 1),
        ("dtms", "sync", 0),
        ("bot", "write", 0),
    ]
