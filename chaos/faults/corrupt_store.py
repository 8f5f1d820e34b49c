"""A store rots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaos.capabilities import Disks, Undo
from chaos.refusal import refuse_unless
from chaos.undo import nothing


@dataclass(frozen=True, slots=True)
class CorruptStore:
    """The store of `actor`, which is down, no longer reads; that cannot be undone."""

    actor: str
    needs: ClassVar[type] = Disks

    def __post_init__(self) -> None:
        refuse_unless(bool(self.actor), "CorruptStore needs the name of an actor.")

    async def inflict(self, disks: Disks) -> Undo:
        await disks.corrupt(self.actor)
        return nothing
