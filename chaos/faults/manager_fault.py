"""The Universal Manager does not take over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaos.capabilities import Managers, Undo
from chaos.refusal import refuse_unless

MODES = ("refuse", "fail", "fail-after-accept", "slow")


@dataclass(frozen=True, slots=True)
class ManagerFault:
    """The Universal Manager refuses trades, fails, fails after it has taken them, or is slow."""

    mode: str
    needs: ClassVar[type] = Managers

    def __post_init__(self) -> None:
        refuse_unless(
            self.mode in MODES,
            f"The Universal Manager does not {self.mode!r}; modes are {', '.join(MODES)}.",
        )

    async def inflict(self, managers: Managers) -> Undo:
        return await managers.behave(self.mode)
