"""A toxic in one direction, of which only a share of the connections has its part."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.conditions import Conditions
from chaos.toxiproxy.toxics import Stream, Toxic, check_toxicity


@dataclass(frozen=True, slots=True)
class Poison:
    """`toxicity`: the share of the connections that it hits, from 0 to 1, each of them for good."""

    toxic: Toxic
    stream: Stream = "downstream"
    toxicity: float = 1.0

    def __post_init__(self) -> None:
        check_toxicity(self.toxicity)

    def shape(self, conditions: Conditions) -> Conditions:
        """The conditions with the toxic added."""
        return conditions.along("up" if self.stream == "upstream" else "down", self.toxic.worsen)
