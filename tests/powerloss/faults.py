"""Faults of the disk: one act fails once, or from then on until it is mended."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from simulator.forgetful_disk import Act, ForgetfulDisk

FAULTS = [
    *((act, errno.EIO) for act in Act),
    *((act, errno.ENOSPC) for act in (Act.WRITE, Act.CREATE)),
]
"""What can fail, and how."""
CASES = [
    (act, code, begun)
    for act, code in FAULTS
    for begun in (False, True)
    if not (begun and act is Act.CREATE)  # all files are there
]
"""Each on an empty disk, and on one that has `begun`: where a process was killed."""


@dataclass(frozen=True)
class Fault:
    """The `nth` try of the act fails; `lasting`, so does every later one."""

    act: Act
    code: int
    nth: int
    lasting: bool

    def __call__(self, act: Act, nth: int) -> int:
        hit = nth >= self.nth if self.lasting else nth == self.nth
        return self.code if act is self.act and hit else 0


def mend(disk: ForgetfulDisk) -> None:
    disk.trouble = lambda _act, _nth: 0


def faults(act: Act, code: int, tries: int) -> Iterator[Fault]:
    """One at each of so many tries, once and lasting."""
    for nth in range(1, tries + 1):
        for lasting in (False, True):
            yield Fault(act, code, nth, lasting)
