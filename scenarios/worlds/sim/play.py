"""Plays one episode in the simulation. A plan decides all of it: same plan, same history."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from chaos.schedule import Scheduled
from scenarios.choices import Choices
from scenarios.episode import Episode
from scenarios.history import History, Recorder
from scenarios.scenario import Scenario
from scenarios.targets.spec import ClientTarget, ReferenceClient, ServerTarget, SimulatedServer
from scenarios.workload import Lane
from scenarios.worlds.sim.foreign import are_foreign
from scenarios.worlds.sim.moment import BEGINNING
from scenarios.worlds.sim.output import Output
from scenarios.worlds.sim.parts import REFERENCE, Parts
from scenarios.worlds.sim.points import Reached
from scenarios.worlds.sim.shared_state import put_back
from scenarios.worlds.sim.world import Fidelity, SimWorld
from scenarios.worlds.world import EnvironmentFailed
from simulator.deterministic.loop import SimLoop
from simulator.deterministic.real import NotSimulated
from simulator.deterministic.schedule import Kind, Noted, Schedule, Scripted, schedule_of
from simulator.deterministic.stand_ins import stand_ins
from simulator.deterministic.watchdog import watchdog

STEPS_MAX = 200_000
"""Callbacks of one episode; the busiest of the suites take a tenth."""

Decisions = Mapping[str, Mapping[int, int]]
"""Of a schedule: by process and callback, how many places it is put back."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An episode that is to be played.

    `lanes` and `faults` replace what the scenario makes of the seed; `decisions` replace the
    schedule that `schedule` would make of it; with `choices`, whatever they do not name is benign.
    """

    scenario: Scenario
    seed: int
    fidelity: Fidelity = "message"
    schedule: Kind = "fifo"
    lanes: tuple[Lane, ...] | None = None
    faults: tuple[Scheduled, ...] | None = None
    decisions: Decisions | None = None
    choices: Mapping[str, float] | None = None
    parts: Parts = REFERENCE
    client: ClientTarget = field(default_factory=ReferenceClient)
    server: ServerTarget = field(default_factory=SimulatedServer)

    @property
    def played_scenario(self) -> Scenario:
        """The scenario with its lanes and faults as planned."""
        scenario, lanes, faults = self.scenario, self.lanes, self.faults
        if lanes is not None:
            scenario = replace(scenario, workload=lambda _random: lanes)
        if faults is not None:
            scenario = replace(scenario, faults=lambda _random: faults)
        return scenario


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a plan. `choices` and `decisions` are those that were not benign, and `trail`
    the points that were passed; both are empty unless asked for. `output` is what foreign targets
    wrote, by actor."""

    history: History
    steps: int
    time_s: float
    choices: Mapping[str, float]
    decisions: Decisions
    trail: tuple[Reached, ...] = ()
    output: Mapping[str, str] = field(default_factory=dict)


def play(plan: Plan, *, note: bool = False, trail: bool = False) -> Played:
    """Raises `EnvironmentFailed`, `NotOffered` and `SimulationError`, which say nothing about what
    is under test."""
    schedule = _schedule(plan)
    noted = Noted(schedule) if note and schedule is not None else None
    loop = SimLoop(noted or schedule, steps_max=STEPS_MAX)
    with ExitStack() as setting:
        if plan.fidelity == "socket":
            beginning_s = BEGINNING.timestamp()
            setting.enter_context(stand_ins(loop, seed=plan.seed, beginning_s=beginning_s))
        # In a function of its own, so that all of it is garbage when the setting ends.
        return _play(plan, loop, noted, trail)


def _play(plan: Plan, loop: SimLoop, noted: Noted | None, trail: bool) -> Played:
    choices = Choices(plan.seed, plan.choices)
    recorder = Recorder(None, loop.time_us)
    scenario = plan.played_scenario
    world = SimWorld(
        scenario,
        loop=loop,
        fidelity=plan.fidelity,
        choices=choices,
        recorder=recorder,
        parts=plan.parts,
        client=plan.client,
        server=plan.server,
    )
    if trail:
        world.crossings.trail = []
    output = Output()

    async def episode() -> None:
        await world.open()
        try:
            await Episode(
                scenario, plan.seed, world, recorder, plan.client, plan.server, choices
            ).run()
        finally:
            await world.aclose()

    with ExitStack() as setting:
        setting.enter_context(world.guard.watching())
        if are_foreign(plan.client, plan.server):
            setting.enter_context(put_back())
            setting.enter_context(world.modules.importable())
            setting.enter_context(output.caught())
            setting.enter_context(watchdog(loop))
        try:
            loop.run(episode())
            # Before the loop is closed: what ends there is no part of the episode.
            return Played(
                recorder.history(),
                loop.steps,
                loop.time(),
                choices.made,
                noted.decisions if noted is not None else {},
                tuple(world.crossings.trail or ()),
                output.told(),
            )
        except (NotSimulated, EnvironmentFailed) as escape:
            # A program that cannot be simulated is no worse for it: local can run it.
            failure = EnvironmentFailed(str(escape))
            failure.output = output.told()
            raise failure from escape
        finally:
            loop.close()


def _schedule(plan: Plan) -> Schedule | None:
    if plan.decisions is not None:
        return Scripted(plan.decisions) if plan.decisions else None
    return schedule_of(plan.schedule, plan.seed)
