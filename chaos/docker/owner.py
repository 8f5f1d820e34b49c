"""Whose a container or a network is: a process, told from any later one of the same id."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RUN, OWNER, ACTOR = "dtms-lab.run", "dtms-lab.owner", "dtms-lab.actor"
"""The labels on everything that is made."""
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Owner:
    """`started` is in the kernel's ticks since the machine started; `space` names the processes
    among which the id means something: a lab inside a container counts its own."""

    pid: int
    started: int
    space: str

    @classmethod
    def this_process(cls) -> Owner:
        """Whoever calls. Raises `OSError` where there is no /proc."""
        started = _started(os.getpid())
        if started is None:
            raise FileNotFoundError(f"{PROC} does not tell when this process was started")
        return cls(os.getpid(), started, _space())

    @classmethod
    def read(cls, label: str) -> Owner | None:
        """The owner that a label names, if it names one."""
        pid, _, rest = label.partition("/")
        started, _, space = rest.partition("/")
        if pid.isdigit() and started.isdigit() and space:
            return cls(int(pid), int(started), space)
        return None

    @property
    def label(self) -> str:
        return f"{self.pid}/{self.started}/{self.space}"

    @property
    def dead(self) -> bool:
        """Whether it certainly does not run any more; never of what cannot be seen from here."""
        return self.space == _space() and _started(self.pid) != self.started

    def labels(self, run: str, actor: str = "") -> Mapping[str, str]:
        """What is to stand on something that this owner makes."""
        return {RUN: run, OWNER: self.label} | ({ACTOR: actor} if actor else {})


def _started(pid: int) -> int | None:
    """None of a process that there is not, or that is dead and not yet buried. See proc(5)."""
    try:
        told = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Its name stands in parentheses, and may hold some.
    fields = told.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def _space() -> str:
    return str((PROC / "self" / "ns" / "pid").readlink())
