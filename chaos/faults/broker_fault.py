"""The broker is odd."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from chaos.capabilities import Broker, Undo
from chaos.refusal import refuse_unless

MODES = ("down", "no_data", "empty", "slow", "mismatch")


@dataclass(frozen=True, slots=True)
class BrokerFault:
    """The broker is down, answers "no data", says it has no positions, answers `delay_s` late, or
    tells other data than it holds. `delay_s` counts for "slow" only."""

    mode: str
    delay_s: float = 0.5
    needs: ClassVar[type] = Broker

    def __post_init__(self) -> None:
        refuse_unless(
            self.mode in MODES, f"A broker is not {self.mode!r}; it is one of {', '.join(MODES)}."
        )
        refuse_unless(self.delay_s >= 0, f"A broker does not answer {-self.delay_s} s early.")

    async def inflict(self, broker: Broker) -> Undo:
        return await broker.behave(self.mode, self.delay_s if self.mode == "slow" else 0.0)
