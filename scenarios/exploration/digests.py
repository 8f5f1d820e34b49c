"""`python -m scenarios.exploration.digests`: one hash over the histories of many seeds.

A plan decides its history, whatever else the process that plays it has done or is: two processes
that print different hashes for the same seeds have found something that a replay cannot repeat.
`--compare` has this told by several fresh ones.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator, Sequence
from hashlib import sha256

from chaos.nemesis import NotOffered
from scenarios.exploration.seedling import Seedling, plan_of
from scenarios.suites import SCENARIOS
from scenarios.worlds.sim.play import play
from scenarios.worlds.sim.world import FIDELITIES, Fidelity
from scenarios.worlds.world import EnvironmentFailed
from simulator.deterministic.loop import SimulationError
from simulator.deterministic.real import NotSimulated
from simulator.deterministic.schedule import KINDS

BATCH = 16
"""Episodes between two collections of garbage, as many as a worker plays in one job."""
NAMES = tuple(SCENARIOS)


def seedling_of(seed: int, fidelity: Fidelity, parts: str = "reference") -> Seedling:
    """What a seed plays: scenarios and schedules in turns, each with a swarm."""
    name, schedule = NAMES[seed % len(NAMES)], KINDS[seed % len(KINDS)]
    return Seedling(name, seed, fidelity, schedule, swarm=True, parts=parts)


def digests(seedlings: Sequence[Seedling]) -> Iterator[str]:
    """The digest of each history; of what could not be played, why not."""
    for number, seedling in enumerate(seedlings, start=1):
        try:
            yield play(plan_of(seedling)).history.digest()
        except (EnvironmentFailed, NotOffered, NotSimulated, SimulationError) as error:
            yield " ".join(f"{type(error).__name__}: {error}".split())
        if number % BATCH == 0:
            gc.collect()


def told(seeds: range, fidelity: Fidelity, parts: str, *, backwards: bool) -> list[str]:
    """The digests in the order of the seeds; `backwards`, the last was played first."""
    order = seeds[::-1] if backwards else seeds
    found = list(digests([seedling_of(seed, fidelity, parts) for seed in order]))
    return found[::-1] if backwards else found


def over(found: Sequence[str]) -> str:
    """One hash over all of them."""
    return sha256("\n".join(found).encode()).hexdigest()


def words() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser("python -m scenarios.exploration.digests", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many (default: 1000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--fidelity", nargs="+", choices=FIDELITIES, default=list(FIDELITIES))
    parser.add_argument("--parts", default="reference", help="module:NAME of other actors")
    parser.add_argument("--each", action="store_true", help="a line for each seed as well")
    parser.add_argument("--backwards", action="store_true", help="play the last seed first")
    parser.add_argument("--compare", type=int, metavar="N", help="play in N fresh processes")
    return parser


def main() -> int:
    """Exit status: 0 told, or all the same; 1 something differs."""
    asked = words().parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    if asked.compare:
        # Imported now: the processes that it starts do not need it.
        from scenarios.exploration.compare_digests import compare_and_tell

        return compare_and_tell(seeds, asked.fidelity, asked.parts, asked.compare)
    gc.collect()
    gc.freeze()
    for fidelity in asked.fidelity:
        found = told(seeds, fidelity, asked.parts, backwards=asked.backwards)
        if asked.each:
            for seed, digest in zip(seeds, found, strict=True):
                sys.stdout.write(f"{fidelity} {seed} {digest}\n")
        sys.stdout.write(f"{fidelity} {len(seeds)} seeds from {seeds.start}: {over(found)}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
