"""What a plan grows from: a few words that any worker can make the same plan of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from chaos.capabilities import (
    Broker,
    Disks,
    Instances,
    Links,
    Managers,
    Points,
    Power,
    Processes,
    Requests,
    Server,
    Storage,
)
from chaos.choice import seeded
from chaos.notation import decode_schedule
from chaos.schedule import Scheduled
from chaos.swarm import swarm
from scenarios.case import parts_named
from scenarios.episode import NEED_AUDIT
from scenarios.scenario import Scenario
from scenarios.suites import SCENARIOS
from scenarios.targets.spec import SimulatedServer, client_target, server_target
from scenarios.worlds.sim.play import Plan
from scenarios.worlds.sim.world import Fidelity
from simulator.deterministic.schedule import Kind

SERVER = "dtms"
LAST_S_MIN = 1.0
"""Faults of a swarm have at least so long to happen."""
UNFAIR = ("broker-lies",)
"""Families under which even a correct server must fail: it has to believe its broker."""


@dataclass(frozen=True, slots=True)
class Seedling:
    """`swarm`: random faults besides the scenario's own. `faults`, encoded, replace all of them."""

    scenario: str
    seed: int
    fidelity: Fidelity = "message"
    schedule: Kind = "fifo"
    swarm: bool = False
    faults: tuple[dict[str, object], ...] | None = None
    parts: str = "reference"
    client: str = "reference"
    server: str = "simulated"


def plan_of(seedling: Seedling) -> Plan:
    """The plan. Raises `CaseRefused` and `TargetRefused` for what is not there."""
    scenario = SCENARIOS[seedling.scenario]
    faults: tuple[Scheduled, ...] | None = None
    if seedling.faults is not None:
        faults = decode_schedule(list(seedling.faults))
    elif seedling.swarm:
        foreign = seedling.server != SimulatedServer().name
        faults = (*_own(scenario, seedling.seed), *_swarm(scenario, seedling.seed, foreign))
    if faults is not None:
        scenario = _fair(scenario, faults)
    return Plan(
        scenario,
        seedling.seed,
        fidelity=seedling.fidelity,
        schedule=seedling.schedule,
        faults=faults,
        parts=parts_named(seedling.parts),
        client=client_target(seedling.client),
        server=server_target(seedling.server),
    )


def _own(scenario: Scenario, seed: int) -> tuple[Scheduled, ...]:
    """What the scenario itself makes of the seed, as the episode would."""
    random = Random(f"{scenario.name}:{seed}")
    scenario.start_up(random)
    scenario.workload(random)
    return scenario.faults(random)


def _swarm(scenario: Scenario, seed: int, foreign: bool) -> tuple[Scheduled, ...]:
    """A `foreign` server has no control plane, and its files are real."""
    offered: set[type] = {Links, Requests, Processes, Disks, Instances, Points}
    if not foreign:
        offered |= {Server, Power, Storage}
    if "broker" in scenario.needs:
        offered.add(Broker)
    if "main-api" in scenario.needs:
        offered.add(Managers)
    return swarm(
        seeded(seed),
        links=[f"{service}->{SERVER}" for service in scenario.services],
        actors=(SERVER, *_mortal(scenario)),
        offered=offered,
        last_s=max(LAST_S_MIN, scenario.faults_last_s),
        avoid=UNFAIR,
    )


def _mortal(scenario: Scenario) -> tuple[str, ...]:
    """Services that may die: with a broker, what they had not accepted yet is found there."""
    return scenario.services if "broker" in scenario.needs else ()


def _fair(scenario: Scenario, faults: tuple[Scheduled, ...]) -> Scenario:
    """Without the checkers that a service which died cannot answer to."""
    hit = {getattr(scheduled.fault, "actor", None) for scheduled in faults}
    if not hit & set(scenario.services):
        return scenario
    kept = tuple(name for name in scenario.checkers if name not in NEED_AUDIT)
    return replace(scenario, checkers=kept)
