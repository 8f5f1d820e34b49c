"""An actor gets too little of the processor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaos.capabilities import Resources, Undo
from chaos.refusal import refuse_unless


@dataclass(frozen=True, slots=True)
class CpuLimit:
    """`actor` gets `cpus` of one processor's time and no more."""

    actor: str
    cpus: float = 0.1
    needs: ClassVar[type] = Resources

    def __post_init__(self) -> None:
        refuse_unless(bool(self.actor), "CpuLimit needs the name of an actor.")
        refuse_unless(self.cpus > 0, f"An actor gets some of a processor, not {self.cpus}.")

    async def inflict(self, resources: Resources) -> Undo:
        return await resources.limit_cpu(self.actor, self.cpus)
