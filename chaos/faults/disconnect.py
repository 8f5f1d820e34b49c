"""An actor's machine loses its network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaos.capabilities import Networks, Undo
from chaos.refusal import refuse_unless


@dataclass(frozen=True, slots=True)
class Disconnect:
    """`actor` runs and reaches nobody, and nobody reaches it; undone, it is back where it was."""

    actor: str
    needs: ClassVar[type] = Networks

    def __post_init__(self) -> None:
        refuse_unless(bool(self.actor), "Disconnect needs the name of an actor.")

    async def inflict(self, networks: Networks) -> Undo:
        return await networks.disconnect(self.actor)
