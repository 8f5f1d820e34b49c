"""Connections are torn down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaos.capabilities import Links, Undo
from chaos.conditions import Conditions, least
from chaos.links import check_link
from chaos.refusal import refuse_unless


@dataclass(frozen=True, slots=True)
class Reset:
    """Every connection on `link` gets a TCP reset, `after_ms` after it was opened or, where it was
    open already, after this began."""

    link: str
    after_ms: float = 0.0
    needs: ClassVar[type] = Links

    def __post_init__(self) -> None:
        check_link(self.link)
        refuse_unless(self.after_ms >= 0, f"A reset cannot come {-self.after_ms} ms early.")

    def shape(self, conditions: Conditions) -> Conditions:
        after_s = least(conditions.reset_after_s, self.after_ms / 1000)
        return replace(conditions, reset_after_s=after_s)

    async def inflict(self, links: Links) -> Undo:
        return await links.toxify(self.link, self)
