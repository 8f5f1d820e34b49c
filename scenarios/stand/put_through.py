"""A client put through scenarios of the lab: for some seeds, in the simulation where it can."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from scenarios.campaign import Campaign
from scenarios.exploration.batch import Small
from scenarios.exploration.workers import cores
from scenarios.local_campaign import LocalCampaign
from scenarios.output import RunReport
from scenarios.run import tell_failure
from scenarios.scenario import Scenario
from scenarios.sim_campaign import SimCampaign
from scenarios.suites import SCENARIOS, select
from scenarios.targets.spec import client_target, server_target
from scenarios.targets.targets import Targets, why_skipped
from scenarios.trial import DEFAULT_WORLDS, Outcome, Trial, WorldName, fidelity_of
from scenarios.verdict import Invalid, Verdict, combine
from scenarios.worlds.sim.foreign import why_not_simulated

SIM_SEEDS = 6
LOCAL_SEEDS = 1
LOCAL_JOBS = 4
SEEDS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What the marker says. No `seeds` are as many as suit the world; no `world` is the simulation
    where client and server can live there, and real processes else."""

    names: tuple[str, ...]
    client: str
    server: str
    seeds: tuple[int, ...] | None
    world: str | None
    workers: int
    """Processes for the simulation; 0 is one for each core."""


@dataclass(slots=True)
class Came:
    """What came of it. `told` explains each failure and ends with the way back."""

    world: WorldName
    verdict: str = "unknown"
    why: str = ""
    episodes: int = 0
    told: list[str] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    environment: str = ""


async def put_through(asked: Asked, folder: Path) -> Came:
    """Plays and judges every trial; cases and histories are left in `folder`.

    Raises `KeyError`, `TargetRefused` and `ValueError` with a sentence for what makes no sense."""
    targets = Targets(client_target(asked.client), server_target(asked.server), sys.executable)
    scenarios = select(asked.names)
    skipped = {s.name: why for s in scenarios if (why := why_skipped(s, targets))}
    left = [s for s in scenarios if s.name not in skipped]
    if not left:
        why = next(iter(skipped.values()))
        fit = ", ".join(s.name for s in SCENARIOS.values() if not why_skipped(s, targets))
        raise ValueError(f"{', '.join(skipped)}: {why}. These can judge it: {fit}")
    not_simulated = why_not_simulated(targets.client, targets.server, None)
    world = _world(asked.world, not_simulated)
    came = await _played(asked, left, targets, world, folder / world)
    if came.environment and asked.world is None and world == "sim":
        # A program that cannot be simulated is no worse for it: on real processes it can run.
        not_simulated = came.environment
        came = await _played(asked, left, targets, "local", folder / "local")
    came.skipped = [f"{name} is skipped: it {why}" for name, why in skipped.items()]
    if came.world == "local" and asked.world is None:
        came.skipped.append(f"not in the simulation: {not_simulated}")
    return came


def _world(name: str | None, not_simulated: str) -> WorldName:
    if name is None:
        return "local" if not_simulated else "sim"
    for world in DEFAULT_WORLDS:
        if world == name:
            if world == "sim" and not_simulated:
                raise ValueError(f'{not_simulated}; say world="local"')
            return world
    raise ValueError(f"there is no world {name!r}; there are: {', '.join(DEFAULT_WORLDS)}")


async def _played(
    asked: Asked,
    scenarios: Sequence[Scenario],
    targets: Targets,
    world: WorldName,
    folder: Path,
) -> Came:
    seeds = asked.seeds or tuple(range(SIM_SEEDS if world == "sim" else LOCAL_SEEDS))
    if len(seeds) > SEEDS_MAX:
        raise ValueError(f"{len(seeds)} seeds are more than {SEEDS_MAX}")
    workers = asked.workers or cores()
    campaign = Campaign(
        scenarios=scenarios,
        targets=targets,
        worlds=(world,),
        fidelity=None,
        seed=seeds[0],
        repeat=len(seeds),
        jobs=LOCAL_JOBS,
        workers=workers,
        folder=folder,
    )
    report, came = RunReport(campaign, datetime.now(UTC)), Came(world)

    simulated_at_each = world == "sim" and targets.are_reference
    trials = [
        Trial(scenario, seed, world, fidelity_of(seed) if simulated_at_each else "socket")
        for scenario in scenarios
        for seed in seeds
    ]
    verdicts: list[Verdict] = []

    def on_outcome(outcome: Outcome) -> None:
        report.add(outcome)
        verdicts.append(outcome.verdict)
        came.environment = came.environment or outcome.environment
        if world == "local" and isinstance(outcome.verdict, Invalid):
            came.told.append(tell_failure(report, outcome))

    def on_small(trial: Trial, small: Small) -> None:
        path = report.add_small(trial, small)
        came.told.append(f"{trial.told}\n{small.told}\nreplay: dtms-lab replay {path}")

    if world == "local":
        local = LocalCampaign(trials, targets, LOCAL_JOBS, folder)
        await local.run(lambda _trial: None, on_outcome)
    else:
        try:
            await SimCampaign(trials, targets, workers, folder).run(on_outcome, on_small)
        except Exception as error:  # noqa: BLE001 - a target may raise anything while it is loaded
            came.environment = f"{type(error).__name__}: {error}"
    came.verdict, came.why = report.verdict(), combine(verdicts).why
    if came.environment and came.verdict != "invalid":
        came.verdict, came.why = "unknown", came.environment
    came.episodes = len(verdicts)
    came.cases = [str(path) for paths in report.cases.values() for path in paths]
    return came
