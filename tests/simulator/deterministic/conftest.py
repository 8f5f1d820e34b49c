"""Disks whose draws, crash points and death a test decides, and loops that are closed after it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from simulator.deterministic.disk import Disk
from simulator.deterministic.loop import SimLoop
from simulator.deterministic.network import Network
from simulator.deterministic.schedule import Schedule


@dataclass
class Fate:
    """What a world hands to a disk. `draws` by the first word of the key; others are benign."""

    draws: dict[str, float] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    points: list[str] = field(default_factory=list)
    is_alive: bool = True
    dies_at: str = ""

    def draw(self, key: str) -> float:
        self.keys.append(key)
        return self.draws.get(key.split()[0], 0.0)

    def reached(self, point: str) -> None:
        self.points.append(point)
        if point == self.dies_at:
            self.is_alive = False

    def alive(self) -> bool:
        return self.is_alive

    def disk(self, name: str = "disk", sync_s: float = 0.0) -> Disk:
        return Disk(name, sync_s=sync_s, draw=self.draw, reached=self.reached, alive=self.alive)


@pytest.fixture
def fate() -> Fate:
    return Fate()


@pytest.fixture
def disk(fate) -> Disk:
    return fate.disk()


@pytest.fixture
def sim() -> Iterator[Callable[..., SimLoop]]:
    """Makes loops; what nobody caught in one fails the test, unless the test took it out."""
    loops: list[SimLoop] = []

    def make(schedule: Schedule | None = None, **budget: Any) -> SimLoop:
        loops.append(SimLoop(schedule, **budget))
        return loops[-1]

    yield make
    for loop in loops:
        loop.close()
        assert loop.unhandled == []


@pytest.fixture
def run(sim) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine in a loop of its own."""
    return lambda main: sim().run(main)


@pytest.fixture
def net(sim) -> Callable[..., SimLoop]:
    """Makes loops with a network."""

    def make(jitter: Callable[[str], float] | None = None, **more: Any) -> SimLoop:
        loop = sim(**more)
        loop.network = Network(loop) if jitter is None else Network(loop, jitter)
        return loop

    return make
