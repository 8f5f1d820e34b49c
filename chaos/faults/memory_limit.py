"""An actor gets too little memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaos.capabilities import Resources, Undo
from chaos.refusal import refuse_unless

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """`actor` may use `spare_mib` MiB more than it does, and no more: then the kernel kills it. One
    that was the first to read its own program from disk may crawl for long instead: the kernel
    takes that from it first, page by page."""

    actor: str
    spare_mib: int = 1
    needs: ClassVar[type] = Resources

    def __post_init__(self) -> None:
        refuse_unless(bool(self.actor), "MemoryLimit needs the name of an actor.")
        refuse_unless(
            self.spare_mib > 0, f"An actor has some memory to spare, not {self.spare_mib} MiB."
        )

    async def inflict(self, resources: Resources) -> Undo:
        return await resources.limit_memory(self.actor, self.spare_mib * MIB)
