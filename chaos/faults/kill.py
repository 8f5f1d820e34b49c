"""A process dies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaos.capabilities import Processes, Undo
from chaos.faults.comeback import check_comeback, comeback
from chaos.refusal import refuse_unless


@dataclass(frozen=True, slots=True)
class Kill:
    """kill -9 of `actor`; it is started again after `restart_after_s`, or when this is undone."""

    actor: str
    restart_after_s: float | None = None
    needs: ClassVar[type] = Processes

    def __post_init__(self) -> None:
        refuse_unless(bool(self.actor), "Kill needs the name of an actor.")
        check_comeback(self.restart_after_s)

    async def inflict(self, processes: Processes) -> Undo:
        await processes.kill(self.actor)
        return comeback(processes, self.actor, self.restart_after_s)
