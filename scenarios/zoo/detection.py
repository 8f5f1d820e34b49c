"""Looks for a specimen's bug as the lab looks for any: scenario after scenario, with the faults of
each and with swarms of random ones, until a checker that is entitled to it claims it.

In the world `local` the specimen's scenarios are run on real processes; `contract` has checks
for episodes.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from chaos.nemesis import NotOffered
from scenarios.exploration.fingerprint import fingerprint
from scenarios.exploration.frontier import Frontier
from scenarios.exploration.judged import Judged, judged
from scenarios.exploration.seedling import Seedling, plan_of
from scenarios.exploration.shrink import Shrinker
from scenarios.local_campaign import LocalCampaign
from scenarios.suites import SCENARIOS
from scenarios.targets.spec import client_target, server_target
from scenarios.targets.targets import Targets, why_skipped
from scenarios.trial import Outcome, Trial
from scenarios.verdict import Invalid, Verdict
from scenarios.worlds.sim.world import Fidelity
from scenarios.worlds.world import EnvironmentFailed
from scenarios.zoo import contract
from scenarios.zoo.specimen import Specimen
from simulator.deterministic.loop import SimulationError

SEEDS_APART = 100_000
COLLECT_EVERY = 50
SHRINK_PLAYS_MAX = 400
"""How many episodes making one failure small may play: enough for what one can read."""
TROUBLE_SHOWN_MAX = 3
LOCAL_JOBS = 3
"""Episodes at a time on real processes."""
DECIDED = ("passed", "failed")


@dataclass(frozen=True, slots=True)
class Detection:
    """What came of one specimen; in the world `contract` checkers are checks, and so are episodes.
    `checker` is the entitled one that claimed it first, empty where
    none did; `claimed` counts in how many episodes each checker claimed something. `size` is what
    is left of the failing plan, and `case` that as a file; empty where nothing was made small."""

    specimen: Specimen
    checker: str
    scenario: str
    episodes: int
    cpu_s: float
    claimed: Mapping[str, int]
    size: Mapping[str, int] = field(default_factory=dict)
    case: str = ""
    trouble: tuple[str, ...] = ()
    """Why episodes could not be played, or checks not be decided, some of them."""

    @property
    def passed(self) -> bool:
        """Found by whoever may claim it; for a correct one, blamed by nobody and played, and each
        check of the contract decided."""
        if self.specimen.bug:
            return bool(self.checker)
        undecided = self.specimen.world == "contract" and self.trouble
        return not self.claimed and self.episodes > 0 and not undecided


def detect(specimen: Specimen, seed: int, episodes_max: int, cpu_s_max: float) -> Detection:
    """Within the first of both bounds; a correct specimen is played until then."""
    if specimen.world == "local":
        return _in_local(specimen, seed)
    if specimen.world == "contract":
        return _by_contract(specimen, seed)
    return _in_sim(specimen, seed, episodes_max, cpu_s_max)


def _in_sim(specimen: Specimen, seed: int, episodes_max: int, cpu_s_max: float) -> Detection:
    began = time.process_time()
    frontier = Frontier(_fresh(specimen, seed), seed * SEEDS_APART)
    claimed: Counter[str] = Counter()
    trouble: dict[str, None] = {}
    episodes = 0
    while episodes + len(trouble) < episodes_max and time.process_time() - began < cpu_s_max:
        (seedling,) = frontier.take(1)
        try:
            outcome = judged(plan_of(seedling))
        except (EnvironmentFailed, NotOffered, SimulationError) as error:
            trouble[f"{seedling.scenario}: {error}"] = None
            continue
        episodes += 1
        frontier.learn([seedling], [fingerprint(outcome.played.history)])
        claimed.update(outcome.broken)
        entitled = [name for name in outcome.broken if name in specimen.claims]
        if entitled:
            took_s = time.process_time() - began
            return _made_small(specimen, outcome, entitled[0], episodes, took_s, claimed)
        if episodes % COLLECT_EVERY == 0:
            gc.collect()
    told = tuple(trouble)[:TROUBLE_SHOWN_MAX]
    took_s = time.process_time() - began
    return Detection(specimen, "", "", episodes, took_s, claimed, trouble=told)


def _fresh(specimen: Specimen, seed: int) -> list[Seedling]:
    """One for each scenario that the specimen can be put through, in the order of the seed."""
    targets = Targets(client_target(specimen.client), server_target(specimen.server))
    chosen = [SCENARIOS[name] for name in specimen.where] or list(SCENARIOS.values())
    names = [scenario.name for scenario in chosen if not why_skipped(scenario, targets)]
    Random(seed).shuffle(names)
    fidelity: Fidelity = "message" if targets.are_reference else "socket"
    return [
        Seedling(
            name,
            0,
            fidelity,
            swarm=True,
            parts=specimen.parts,
            client=specimen.client,
            server=specimen.server,
        )
        for name in names
    ]


def _made_small(
    specimen: Specimen,
    failing: Judged,
    checker: str,
    episodes: int,
    took_s: float,
    claimed: Mapping[str, int],
) -> Detection:
    shrunk = Shrinker(failing, checker, SHRINK_PLAYS_MAX).shrink()
    gc.collect()
    return Detection(
        specimen,
        checker,
        failing.plan.scenario.name,
        episodes,
        took_s,
        claimed,
        shrunk.size,
        shrunk.judged.case().encode(),
    )


def _in_local(specimen: Specimen, seed: int) -> Detection:
    began = time.perf_counter()
    targets = Targets(client_target(specimen.client), server_target(specimen.server))
    chosen = [SCENARIOS[name] for name in specimen.where] or list(SCENARIOS.values())
    trials = [
        Trial(scenario, seed, "local", "socket")
        for scenario in chosen
        if not why_skipped(scenario, targets) and not scenario.virtual_only
    ]
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="dtms-lab-zoo-") as folder:
        campaign = LocalCampaign(trials, targets, LOCAL_JOBS, Path(folder))
        asyncio.run(campaign.run(lambda _trial: None, outcomes.append))
    claimed = Counter(name for outcome in outcomes for name in _broken(outcome.verdicts))
    entitled = [(o, n) for o in outcomes for n in _broken(o.verdicts) if n in specimen.claims]
    return Detection(
        specimen,
        entitled[0][1] if entitled else "",
        entitled[0][0].trial.scenario.name if entitled else "",
        sum(not outcome.environment for outcome in outcomes),
        time.perf_counter() - began,
        claimed,
        trouble=tuple(o.environment for o in outcomes if o.environment)[:TROUBLE_SHOWN_MAX],
    )


def _by_contract(specimen: Specimen, seed: int) -> Detection:
    began = time.perf_counter()
    results = contract.results(specimen, seed)
    failed = [result.check.name for result in results if result.verdict == "failed"]
    entitled = [name for name in failed if name in specimen.claims]
    undecided = [f"{r.check.name}: {r.why}" for r in results if r.verdict not in DECIDED]
    return Detection(
        specimen,
        entitled[0] if entitled else "",
        "the contract" if entitled else "",
        len(results) - len(undecided),
        time.perf_counter() - began,
        Counter(failed),
        trouble=tuple(undecided)[:TROUBLE_SHOWN_MAX],
    )


def _broken(verdicts: Mapping[str, Verdict]) -> list[str]:
    return [name for name, verdict in verdicts.items() if isinstance(verdict, Invalid)]
