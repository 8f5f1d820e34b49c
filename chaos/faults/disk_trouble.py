"""A disk fails its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

from chaos.capabilities import Storage, Trouble, Undo
from chaos.refusal import refuse_unless

TROUBLES: tuple[Trouble, ...] = get_args(Trouble)


@dataclass(frozen=True, slots=True)
class DiskTrouble:
    """The disk of `actor` is full, fails, can only be read, or takes `delay_s` longer for each
    operation. `delay_s` counts for "slow" only."""

    actor: str
    how: Trouble
    delay_s: float = 0.5
    needs: ClassVar[type] = Storage

    def __post_init__(self) -> None:
        refuse_unless(bool(self.actor), "DiskTrouble needs the name of an actor.")
        refuse_unless(
            self.how in TROUBLES, f"A disk is not {self.how!r}; it is one of {', '.join(TROUBLES)}."
        )
        refuse_unless(self.delay_s >= 0, f"A disk is not {-self.delay_s} s faster.")

    async def inflict(self, storage: Storage) -> Undo:
        delay_s = self.delay_s if self.how == "slow" else 0.0
        return await storage.trouble(self.actor, self.how, delay_s)
