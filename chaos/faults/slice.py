"""Bytes come in crumbs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaos.capabilities import Links, Undo
from chaos.conditions import Conditions, Direction, least
from chaos.links import check_link
from chaos.refusal import refuse_unless


@dataclass(frozen=True, slots=True)
class Slice:
    """What travels on `link` arrives in pieces of at most `size_bytes`, `gap_ms` apart."""

    link: str
    size_bytes: int
    gap_ms: float = 0.0
    direction: Direction = "down"
    needs: ClassVar[type] = Links

    def __post_init__(self) -> None:
        check_link(self.link)
        refuse_unless(self.size_bytes >= 1, f"A slice has a byte or more, not {self.size_bytes}.")
        refuse_unless(
            self.gap_ms >= 0, f"The gap between slices is not negative: {self.gap_ms} ms."
        )

    def shape(self, conditions: Conditions) -> Conditions:
        return conditions.along(
            self.direction,
            lambda flow: replace(
                flow,
                slice_bytes=int(least(flow.slice_bytes, self.size_bytes)),
                slice_gap_s=max(flow.slice_gap_s, self.gap_ms / 1000),
            ),
        )

    async def inflict(self, links: Links) -> Undo:
        return await links.toxify(self.link, self)
