"""Connections carry so much and no more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaos.capabilities import Links, Undo
from chaos.conditions import Conditions, Direction, least
from chaos.links import check_link
from chaos.refusal import refuse_unless


@dataclass(frozen=True, slots=True)
class Limit:
    """A connection on `link` closes when it has carried `size_bytes` since this began."""

    link: str
    size_bytes: int
    direction: Direction = "down"
    needs: ClassVar[type] = Links

    def __post_init__(self) -> None:
        check_link(self.link)
        refuse_unless(self.size_bytes >= 0, f"A limit is not negative: {self.size_bytes} bytes.")

    def shape(self, conditions: Conditions) -> Conditions:
        return conditions.along(
            self.direction,
            lambda flow: replace(flow, limit_bytes=int(least(flow.limit_bytes, self.size_bytes))),
        )

    async def inflict(self, links: Links) -> Undo:
        return await links.toxify(self.link, self)
