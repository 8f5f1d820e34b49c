"""The lights go out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaos.capabilities import Power, Undo
from chaos.faults.comeback import check_comeback, comeback
from chaos.refusal import refuse_unless


@dataclass(frozen=True, slots=True)
class PowerLoss:
    """The machine of `actor` loses power: what `actor` had not synced is gone. It is started again
    after `restart_after_s`, or when this is undone."""

    actor: str
    restart_after_s: float | None = None
    needs: ClassVar[type] = Power

    def __post_init__(self) -> None:
        refuse_unless(bool(self.actor), "PowerLoss needs the name of an actor.")
        check_comeback(self.restart_after_s)

    async def inflict(self, power: Power) -> Undo:
        await power.lose_power(self.actor)
        return comeback(power, self.actor, self.restart_after_s)
