"""An actor gets too little memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaos.capabilities import Resources, Undo
from chaos.refusal import refuse_unless

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """`actor` may use `mib` MiB and no more: the kernel kills it when it asks for more."""

    actor: str
    mib: int
    needs: ClassVar[type] = Resources

    def __post_init__(self) -> None:
        refuse_unless(bool(self.actor), "MemoryLimit needs the name of an actor.")
        refuse_unless(self.mib > 0, f"An actor has some memory, not {self.mib} MiB.")

    async def inflict(self, resources: Resources) -> Undo:
        return await resources.limit_memory(self.actor, self.mib * MIB)
