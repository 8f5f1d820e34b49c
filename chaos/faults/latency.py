"""Bytes come late."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from chaos.capabilities import Links, Undo
from chaos.conditions import Conditions, Direction
from chaos.links import check_link
from chaos.refusal import refuse_unless


@dataclass(frozen=True, slots=True)
class Latency:
    """What travels on `link` arrives `latency_ms` late, plus up to `jitter_ms`, in order.

    By default on the way back to the client only, so that it is the time added to an answer.
    """

    link: str
    latency_ms: float
    jitter_ms: float = 0.0
    direction: Direction = "down"
    needs: ClassVar[type] = Links

    def __post_init__(self) -> None:
        check_link(self.link)
        refuse_unless(
            self.latency_ms >= 0 and self.jitter_ms >= 0,
            f"Latency and jitter are not negative: {self.latency_ms} ms, {self.jitter_ms} ms.",
        )

    def shape(self, conditions: Conditions) -> Conditions:
        return conditions.along(
            self.direction,
            lambda flow: replace(
                flow,
                delay_s=flow.delay_s + self.latency_ms / 1000,
                jitter_s=flow.jitter_s + self.jitter_ms / 1000,
            ),
        )

    async def inflict(self, links: Links) -> Undo:
        return await links.toxify(self.link, self)
