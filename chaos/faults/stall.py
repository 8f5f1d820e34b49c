"""Bytes stop coming."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaos.capabilities import Links, Undo
from chaos.conditions import Conditions, Direction
from chaos.links import check_link


@dataclass(frozen=True, slots=True)
class Stall:
    """Connections on `link` fall silent and stay open; undone, what was held back arrives."""

    link: str
    direction: Direction = "both"
    needs: ClassVar[type] = Links

    def __post_init__(self) -> None:
        check_link(self.link)

    def shape(self, conditions: Conditions) -> Conditions:
        return conditions.along(self.direction, lambda flow: replace(flow, stalled=True))

    async def inflict(self, links: Links) -> Undo:
        return await links.toxify(self.link, self)
