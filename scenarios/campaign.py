"""A campaign: trials of some scenarios in some worlds, each judged from its history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenarios.exploration.batch import Small
from scenarios.local_campaign import LocalCampaign
from scenarios.scenario import Scenario
from scenarios.sim_campaign import SimCampaign
from scenarios.targets.targets import Targets, why_skipped
from scenarios.trial import Outcome, Trial, WorldName, fidelity_of
from scenarios.worlds.docker.housing import Containers
from scenarios.worlds.docker.session import open_session
from scenarios.worlds.sim.foreign import why_not_simulated
from scenarios.worlds.sim.world import FIDELITIES, Fidelity

SIM_EPISODES = 18
"""Of each scenario in the simulation, where not said otherwise: each schedule at each fidelity,
twice."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A scenario that these targets cannot be put through in a world, and why."""

    scenario: Scenario
    world: WorldName
    why: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """`repeat` episodes of each scenario from `seed` on; None is as many as suit the world.

    In the worlds `local` and `docker`, `jobs` at a time; in `sim`, on `workers` processes, at
    `fidelity` or, for None, at each in turns.
    """

    scenarios: Sequence[Scenario]
    targets: Targets
    worlds: Sequence[WorldName]
    fidelity: Fidelity | None
    seed: int
    repeat: int | None
    jobs: int
    workers: int
    folder: Path
    not_in_sim: str = ""
    """Why the targets cannot be simulated, where that was found by trying."""

    def trials(self, world: WorldName) -> tuple[Trial, ...]:
        """Every trial in that world, the longest first so that none trails."""
        runnable = [s for s in self.scenarios if not self._why_skipped(s, world)]
        if world != "sim":
            return tuple(
                Trial(scenario, self.seed + n, world, "socket")
                for scenario in sorted(runnable, key=lambda s: -s.faults_last_s)
                for n in range(scenario.episodes * (self.repeat or 1))
            )
        count = SIM_EPISODES if self.repeat is None else self.repeat
        trials = [
            Trial(scenario, self.seed + n, "sim", self._fidelity(self.seed + n))
            for scenario in runnable
            for n in range(count)
        ]
        return tuple(sorted(trials, key=lambda trial: -FIDELITIES.index(trial.fidelity)))

    def all_trials(self) -> tuple[Trial, ...]:
        """Those of every world, in the order in which they begin."""
        return tuple(trial for world in self.worlds for trial in self.trials(world))

    def skipped(self) -> tuple[Skipped, ...]:
        """What these targets cannot be put through."""
        return tuple(
            Skipped(scenario, world, why)
            for world in self.worlds
            for scenario in self.scenarios
            if (why := self._why_skipped(scenario, world))
        )

    async def run(
        self,
        on_start: Callable[[Trial], None],
        on_outcome: Callable[[Outcome], None],
        on_small: Callable[[Trial, Small], None],
    ) -> None:
        """Runs every trial, world by world, and tells each outcome as it comes."""
        for world in self.worlds:
            trials = self.trials(world)
            if world == "local":
                local = LocalCampaign(trials, self.targets, self.jobs, self.folder)
                await local.run(on_start, on_outcome)
            elif trials and world == "docker":
                async with open_session() as session:
                    await LocalCampaign(
                        trials,
                        self.targets,
                        self.jobs,
                        self.folder,
                        housing=lambda trial: Containers(session, trial.name),
                    ).run(on_start, on_outcome)
            elif trials:
                sim = SimCampaign(trials, self.targets, self.workers, self.folder)
                await sim.run(on_outcome, on_small)

    def _why_skipped(self, scenario: Scenario, world: WorldName) -> str:
        why = why_skipped(scenario, self.targets)
        if why or world != "sim":
            return why or scenario.virtual_only
        why = why_not_simulated(self.targets.client, self.targets.server, self.fidelity)
        return why or self.not_in_sim

    def _fidelity(self, seed: int) -> Fidelity:
        if self.fidelity is not None:
            return self.fidelity
        return fidelity_of(seed) if self.targets.are_reference else "socket"
