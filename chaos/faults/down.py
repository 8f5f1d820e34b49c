"""A proxy is down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaos.capabilities import Toxics, Undo
from chaos.links import check_link


@dataclass(frozen=True, slots=True)
class Down:
    """The proxy that carries `link` is disabled, as Toxiproxy calls it: its port is closed, and its
    connections end in good order."""

    link: str
    needs: ClassVar[type] = Toxics

    def __post_init__(self) -> None:
        check_link(self.link)

    async def inflict(self, toxics: Toxics) -> Undo:
        return await toxics.take_down(self.link)
