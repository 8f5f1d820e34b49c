"""Every crash that one run can suffer: at each operation of its disk, a kill and power losses."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from simulator.forgetful_disk import PAGE_BYTES, SECTOR_BYTES, Draw, ForgetfulDisk, Loss

LOSSES = (Loss(), Loss(torn=True), Loss(SECTOR_BYTES), Loss(PAGE_BYTES))
DRAWS_EACH = 2
CRASHES_EACH = 2 + len(LOSSES) * DRAWS_EACH
"""Crashes at one point: a kill, a power loss that takes all, and the drawn ones."""

Image = tuple[tuple[str, bytes], ...]


def all_lost(_about: str) -> float:
    return 0.999


def keyed(seed: object) -> Draw:
    def draw(about: str) -> float:
        digest = hashlib.blake2b(f"{seed}/{about}".encode(), digest_size=4).digest()
        return int.from_bytes(digest) / 2**32

    return draw


@dataclass
class Life:
    """One run on a disk: `told[k]` is all that was acknowledged by the kth step, and `acked[k]` how
    many operations the disk had done when it was. `told[0]` is what an empty start shows."""

    disk: ForgetfulDisk
    told: list[object] = field(default_factory=list)
    acked: list[int] = field(default_factory=list)

    def note(self, told: object, at: int) -> None:
        self.told.append(told)
        self.acked.append(at)

    def allowed(self, at: int) -> list[object]:
        """What may be found after a crash there: all that was told, and the next step or not."""
        told = bisect_right(self.acked, at)
        return self.told[:1] if told == 0 else self.told[told - 1 : told + 1]


def crashed(disk: ForgetfulDisk, at: int) -> Iterator[ForgetfulDisk]:
    """What each crash leaves, where it comes after the first `at` operations."""
    yield disk.after_kill(at)
    yield disk.after_power_loss(all_lost, at=at)
    for loss in LOSSES:
        for seed in range(DRAWS_EACH):
            yield disk.after_power_loss(keyed(seed), loss, at)


def image_of(disk: ForgetfulDisk) -> Image:
    """What a disk started with, to compare it."""
    return tuple(sorted(disk.files.items()))


@dataclass
class Tried:
    """How much was tried. Disks that look alike are looked at once."""

    points: int = 0
    crashes: int = 0
    losses: list[str] = field(default_factory=list)
    seen: dict[Image, object] = field(default_factory=dict)

    def judge(self, life: Life, shown: Callable[[ForgetfulDisk], object]) -> None:
        """Crashes at every point of the life, and compares what is shown with what is allowed."""
        for at in range(len(life.disk.history) + 1):
            self.points += 1
            allowed = life.allowed(at)
            for n, left in enumerate(crashed(life.disk, at)):
                self.crashes += 1
                image = image_of(left)
                if image not in self.seen:
                    self.seen[image] = shown(left)
                if self.seen[image] not in allowed:
                    self.losses.append(f"crash {n} at {at}: {self.seen[image]} not in {allowed}")
