"""A process freezes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaos.capabilities import Processes, Undo
from chaos.refusal import refuse_unless
from chaos.undo import once


@dataclass(frozen=True, slots=True)
class Pause:
    """`actor` stops in the middle of whatever it does (SIGSTOP); undone, it goes on (SIGCONT)."""

    actor: str
    needs: ClassVar[type] = Processes

    def __post_init__(self) -> None:
        refuse_unless(bool(self.actor), "Pause needs the name of an actor.")

    async def inflict(self, processes: Processes) -> Undo:
        await processes.pause(self.actor)
        return once(lambda: processes.resume(self.actor))
