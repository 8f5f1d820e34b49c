"""One episode that is to be run, and what came of it, in whatever world."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from scenarios.scenario import Scenario
from scenarios.targets.spec import ReferenceClient, SimulatedServer
from scenarios.verdict import Unknown, Verdict, combine
from scenarios.worlds.sim.world import FIDELITIES, Fidelity
from simulator.deterministic.schedule import KINDS, Kind

WorldName = Literal["sim", "local", "docker"]
WORLDS: tuple[WorldName, ...] = ("sim", "local", "docker")
DEFAULT_WORLDS: tuple[WorldName, ...] = ("sim", "local")
"""Where scenarios are played unless said otherwise: what any machine has."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A scenario with a seed. In the world `sim` the seed decides the schedule as well."""

    scenario: Scenario
    seed: int
    world: WorldName
    fidelity: Fidelity

    @property
    def schedule(self) -> Kind:
        return KINDS[self.seed % len(KINDS)]

    @property
    def name(self) -> str:
        """For files: those of the world `local` are named by scenario and seed alone."""
        stem = f"{self.scenario.name}-{self.seed}"
        return {"local": stem, "docker": f"{stem}-docker"}.get(
            self.world, f"{stem}-{self.fidelity}"
        )

    @property
    def told(self) -> str:
        """For people."""
        where = {"local": "", "docker": " in docker"}.get(self.world, f" in sim at {self.fidelity}")
        return f"{self.scenario.name} seed {self.seed}{where}"


def fidelity_of(seed: int) -> Fidelity:
    """Which fidelity a seed is played at, where none was asked for: one schedule each, in turns."""
    return FIDELITIES[seed // len(KINDS) % len(FIDELITIES)]


def run_again(world: str, scenario: str, seed: int, client: str, server: str) -> str:
    """The command that runs an episode of a world of real processes again."""
    words = ["dtms-lab", "run", scenario, "--world", world, "--seed", str(seed)]
    if client != ReferenceClient().name:
        words += ["--client", client]
    if server != SimulatedServer().name:
        words += ["--server", server]
    return shlex.join(words)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial came to. `environment` is why it could not be run to its end, or empty;
    `history` is None where it was not kept."""

    trial: Trial
    verdicts: Mapping[str, Verdict]
    history: Path | None
    duration_s: float
    environment: str = ""
    told: Mapping[str, str] = field(default_factory=dict)
    """For each broken property its explanation, where that was made already."""

    @property
    def verdict(self) -> Verdict:
        if self.environment:
            return Unknown(self.environment)
        return combine(self.verdicts.values())
