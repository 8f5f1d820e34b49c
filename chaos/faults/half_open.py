"""The other end is gone and nobody says so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaos.capabilities import Links, Undo
from chaos.conditions import Conditions
from chaos.links import check_link


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """On `link` the server's side of open connections closes and the client is not told; new ones
    reach nobody. What the client sends vanishes.

    Undone, new connections are well; on one that lost its other end, the next byte sent is
    answered with a reset, as by a machine that came back and knows nothing of it.
    """

    link: str
    needs: ClassVar[type] = Links

    def __post_init__(self) -> None:
        check_link(self.link)

    def shape(self, conditions: Conditions) -> Conditions:
        return replace(conditions, half_open=True)

    async def inflict(self, links: Links) -> Undo:
        return await links.toxify(self.link, self)
