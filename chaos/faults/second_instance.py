"""An actor is started twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaos.capabilities import Instances, Undo
from chaos.refusal import refuse_unless


@dataclass(frozen=True, slots=True)
class SecondInstance:
    """Somebody starts `actor` once more, on the same port and the same data."""

    actor: str
    needs: ClassVar[type] = Instances

    def __post_init__(self) -> None:
        refuse_unless(bool(self.actor), "SecondInstance needs the name of an actor.")

    async def inflict(self, instances: Instances) -> Undo:
        return await instances.start_second(self.actor)
