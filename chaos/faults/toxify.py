"""A toxic of Toxiproxy's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaos.capabilities import Toxics, Undo
from chaos.links import check_link
from chaos.toxiproxy.poison import Poison
from chaos.toxiproxy.toxics import Stream, Toxic, check_toxicity


@dataclass(frozen=True, slots=True)
class Toxify:
    """`toxic` is in force on `link` in the direction of `stream`, on a share of `toxicity` of the
    connections. `Latency` and its like do much the same on any link; this is Toxiproxy's way."""

    link: str
    toxic: Toxic
    stream: Stream = "downstream"
    toxicity: float = 1.0
    needs: ClassVar[type] = Toxics

    def __post_init__(self) -> None:
        check_link(self.link)
        check_toxicity(self.toxicity)

    async def inflict(self, toxics: Toxics) -> Undo:
        return await toxics.poison(self.link, Poison(self.toxic, self.stream, self.toxicity))
