"""Disks whose draws, crash points and death a test decides."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from simulator.deterministic.disk import Disk


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
