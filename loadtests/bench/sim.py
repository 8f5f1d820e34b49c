"""How many episodes the simulation plays and judges in a second of one core's time.

Each is 20 trades of two services, sent up to three times, while the server is killed under load
and comes back. Nothing is left out: every checker judges each history.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from random import Random

from chaos.faults import Kill
from chaos.schedule import Scheduled, during
from loadtests.bench.figure import Figure
from scenarios.checkers import judge
from scenarios.episode import checkers_for
from scenarios.scenario import BRISK, PRODUCTION, Family, Scenario
from scenarios.scenario import Plan as FaultPlan
from scenarios.suites.promises import REGISTERED
from scenarios.targets.spec import ReferenceClient
from scenarios.verdict import Valid, combine
from scenarios.workload import steady
from scenarios.worlds.sim.collector import resting_collector
from scenarios.worlds.sim.play import Plan, play
from scenarios.worlds.sim.world import FIDELITIES, Fidelity
from simulator.deterministic.schedule import KINDS

TRADES = 20
OVER_S = 1.0
RETRIES = 2
DOWN_S = 0.5
ROUNDS = 5
EPISODES: dict[Fidelity, int] = {"message": 90, "http": 45, "socket": 12}
"""In each round."""
EPISODES_PER_CPU_S: dict[Fidelity, float] = {"message": 450.0, "http": 95.0, "socket": 20.0}
SIMULATED_S_PER_CPU_S = 3_000.0
PACE = 10.0
"""How many times as long an episode at production's pace is given for its trades and its crash."""
WORKERS = 2
WORKERS_RATIO = 1.6
EPISODES_PER_WORKER = 200


def killed_under_load(times: float = 1.0) -> FaultPlan:
    """kill -9 of the server at a moment of the load drawn from the seed; started DOWN_S later."""

    def plan(random: Random) -> tuple[Scheduled, ...]:
        begin = times * random.uniform(0.05, 0.95) * OVER_S
        return (during(begin, begin + times * DOWN_S, Kill("dtms")),)

    return plan


CRASH = Scenario(
    name="bench-crash",
    family=Family.RECOVERY,
    proves="A server that is killed under load and comes back costs no trade.",
    workload=steady(("bot", "desktop"), trades=TRADES, over_s=OVER_S),
    faults=killed_under_load(),
    faults_last_s=1.5,
    services=("bot", "desktop"),
    policy=replace(BRISK, retries=RETRIES),
    checkers=REGISTERED,
)


def at_production(scenario: Scenario) -> Scenario:
    """The same with the core's own settings, over times that fit them."""
    bounds = scenario.bounds
    return replace(
        scenario,
        name=f"{scenario.name}-at-production",
        workload=steady(scenario.services, TRADES, over_s=PACE * OVER_S),
        faults=killed_under_load(PACE),
        faults_last_s=PACE * scenario.faults_last_s,
        policy=replace(PRODUCTION, retries=RETRIES),
        bounds=replace(
            bounds,
            unprotected_s=PACE * bounds.unprotected_s,
            blocked_s=PACE * bounds.blocked_s,
        ),
    )


@dataclass(slots=True)
class Tally:
    """What some episodes came to, in all."""

    episodes: int = 0
    cpu_s: float = 0.0
    simulated_s: float = 0.0
    steps: int = 0
    requests: int = 0

    def play(self, scenario: Scenario, fidelity: Fidelity, seeds: Sequence[int]) -> None:
        """Plays and judges one episode for each seed, under one kind of schedule after another."""
        checkers = checkers_for(scenario, ReferenceClient())
        with resting_collector() as between:
            for seed in seeds:
                before = time.process_time()
                played = play(Plan(scenario, seed, fidelity, KINDS[seed % len(KINDS)]))
                verdict = combine(judge(played.history, checkers).values())
                between()
                self.cpu_s += time.process_time() - before
                assert isinstance(verdict, Valid), f"seed {seed} at {fidelity}: {verdict}"
                self.episodes += 1
                self.simulated_s += played.time_s
                self.steps += played.steps
                self.requests += len(played.history.calls(service="wire"))


def measure() -> tuple[Figure, ...]:
    """Every figure about the simulation."""
    offered = [fidelity for fidelity in FIDELITIES if _is_there(fidelity)]
    rates: dict[Fidelity, list[float]] = {fidelity: [] for fidelity in offered}
    totals: dict[Fidelity, Tally] = {fidelity: Tally() for fidelity in offered}
    for number in range(ROUNDS + 1):
        for fidelity in offered:
            first = number * EPISODES[fidelity]
            tally = totals[fidelity] if number else Tally()  # the first round warms up
            played, cpu_s = tally.episodes, tally.cpu_s
            tally.play(CRASH, fidelity, range(first, first + EPISODES[fidelity]))
            if number:
                rates[fidelity].append((tally.episodes - played) / (tally.cpu_s - cpu_s))
    figures = [
        Figure(
            f"sim_{fidelity}_episodes",
            statistics.median(rates[fidelity]),
            "1/s CPU",
            EPISODES_PER_CPU_S[fidelity],
            "at least",
        )
        for fidelity in offered
    ]
    return (*figures, *_sizes(totals), *_simulated(totals["http"]), _workers())


def _is_there(fidelity: Fidelity) -> bool:
    if fidelity != "socket" or importlib.util.find_spec("scenarios.worlds.sim.socket_wires"):
        return True
    print("sim: fidelity socket is skipped, it is not there yet", file=sys.stderr)
    return False


def _sizes(totals: dict[Fidelity, Tally]) -> tuple[Figure, ...]:
    figures = []
    for fidelity, tally in totals.items():
        requests, steps = tally.requests / tally.episodes, tally.steps / tally.episodes
        figures.append(Figure(f"sim_{fidelity}_requests", requests, "1/episode"))
        figures.append(Figure(f"sim_{fidelity}_steps", steps, "1/episode"))
    return tuple(figures)


def _simulated(brisk: Tally) -> tuple[Figure, ...]:
    """At the pace of the shipped scenarios an episode is over in seconds; what is promised is at
    production's, since it is production's time that is to be covered."""
    slow = Tally()
    slow.play(at_production(CRASH), "http", range(EPISODES["http"]))
    return (
        Figure("sim_http_simulated_brisk", brisk.simulated_s / brisk.cpu_s, "s/s CPU"),
        Figure(
            "sim_http_simulated",
            slow.simulated_s / slow.cpu_s,
            "s/s CPU",
            SIMULATED_S_PER_CPU_S,
            "at least",
        ),
    )


def _workers() -> Figure:
    """Each worker plays as many episodes as the one alone, in wall seconds."""
    with ProcessPoolExecutor(max_workers=WORKERS, mp_context=get_context("spawn")) as pool:
        _wall_s(pool, WORKERS)  # warms up
        ratio = statistics.median(
            WORKERS * _wall_s(pool, 1) / _wall_s(pool, WORKERS) for _round in range(ROUNDS)
        )
    return Figure("sim_two_workers_to_one", ratio, "ratio", WORKERS_RATIO, "at least")


def _wall_s(pool: ProcessPoolExecutor, workers: int) -> float:
    began = time.perf_counter()
    for done in [pool.submit(_play_some, worker) for worker in range(workers)]:
        done.result()
    return time.perf_counter() - began


def _play_some(worker: int) -> None:
    """In a worker's process."""
    first = worker * EPISODES_PER_WORKER
    Tally().play(CRASH, "message", range(first, first + EPISODES_PER_WORKER))
