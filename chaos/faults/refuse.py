"""The port is closed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaos.capabilities import Links, Undo
from chaos.conditions import Conditions
from chaos.links import check_link


@dataclass(frozen=True, slots=True)
class Refuse:
    """New connections on `link` are refused by the operating system; with `cut`, open ones are
    reset as this begins."""

    link: str
    cut: bool = True
    needs: ClassVar[type] = Links

    def __post_init__(self) -> None:
        check_link(self.link)

    def shape(self, conditions: Conditions) -> Conditions:
        return replace(conditions, refused=True, cut=conditions.cut or self.cut)

    async def inflict(self, links: Links) -> Undo:
        return await links.toxify(self.link, self)
