"""Bytes come slowly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaos.capabilities import Links, Undo
from chaos.conditions import Conditions, Direction, least
from chaos.links import check_link
from chaos.refusal import refuse_unless


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Each connection on `link` carries at most `bytes_per_s` in each direction."""

    link: str
    bytes_per_s: float
    direction: Direction = "both"
    needs: ClassVar[type] = Links

    def __post_init__(self) -> None:
        check_link(self.link)
        refuse_unless(
            self.bytes_per_s > 0,
            f"A bandwidth is more than 0 bytes/s, not {self.bytes_per_s}; Stall stops all bytes.",
        )

    def shape(self, conditions: Conditions) -> Conditions:
        return conditions.along(
            self.direction,
            lambda flow: replace(flow, bytes_per_s=least(flow.bytes_per_s, self.bytes_per_s)),
        )

    async def inflict(self, links: Links) -> Undo:
        return await links.toxify(self.link, self)
