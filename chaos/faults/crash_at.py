"""A process dies between two steps of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

from chaos.capabilities import Point, Points, Undo
from chaos.faults.comeback import check_comeback
from chaos.refusal import refuse_unless

POINTS: tuple[Point, ...] = get_args(Point)


@dataclass(frozen=True, slots=True)
class CrashAt:
    """`actor` dies at exactly the `nth` time (from 0, since this began) that it comes to `point`;
    with `power`, what it had not synced is gone as well. It is started again after
    `restart_after_s`, or when this is undone."""

    actor: str
    point: Point
    nth: int = 0
    power: bool = False
    restart_after_s: float = 0.1
    needs: ClassVar[type] = Points

    def __post_init__(self) -> None:
        refuse_unless(bool(self.actor), "CrashAt needs the name of an actor.")
        refuse_unless(
            self.point in POINTS,
            f"There is no point {self.point!r}; there are {', '.join(POINTS)}.",
        )
        refuse_unless(self.nth >= 0, f"Times count from 0; there is no time {self.nth}.")
        check_comeback(self.restart_after_s)

    async def inflict(self, points: Points) -> Undo:
        return await points.arm(
            self.actor,
            self.point,
            self.nth,
            power=self.power,
            restart_after_s=self.restart_after_s,
        )
