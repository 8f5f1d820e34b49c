"""The same seeds in fresh processes that differ in all that must not matter.

Each has another PYTHONHASHSEED, and every second plays the seeds from the last to the first, so
that an episode is the first of one process, with every cache cold, and the last of another.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from scenarios.exploration.digests import over, seedling_of
from scenarios.exploration.workers import cores
from scenarios.worlds.sim.world import Fidelity

HASH_SEEDS = ("0", "1", "random")
"""In turns."""


class PlayFailed(RuntimeError):
    """A process ended before it had played everything; the message is its last words."""


@dataclass(frozen=True, slots=True)
class Apart:
    """A seed that has more than one history, and the digest in each process."""

    seed: int
    digests: tuple[str, ...]


def compare_and_tell(
    seeds: range, fidelities: Sequence[Fidelity], parts: str, processes: int
) -> int:
    """A line for each fidelity. Exit status: 0 all the same, 1 something differs."""
    status = 0
    for fidelity in fidelities:
        found = in_processes(seeds, fidelity, parts, processes)
        what = f"{fidelity} {len(seeds)} seeds from {seeds.start}"
        first = next(differences(seeds, found), None)
        if first is None:
            told = f"{what}: {over(found[0])}, the same in {processes} processes"
        else:
            status = 1
            scenario = seedling_of(first.seed, fidelity).scenario
            told = "\n  ".join(
                [f"{what}: seed {first.seed} ({scenario}) differs between processes:"]
                + [f"{_setting(number)}: {told}" for number, told in enumerate(first.digests)]
            )
        sys.stdout.write(f"{told}\n")
        sys.stdout.flush()
    return status


def in_processes(
    seeds: range, fidelity: Fidelity, parts: str = "reference", processes: int = len(HASH_SEEDS)
) -> list[list[str]]:
    """The digests that each process told, in the order of the seeds. Raises `PlayFailed`."""
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(lambda n: _in_process(seeds, fidelity, parts, n), range(processes)))


def differences(seeds: range, found: Sequence[Sequence[str]]) -> Iterator[Apart]:
    """In the order of the seeds."""
    for seed, each in zip(seeds, zip(*found, strict=True), strict=True):
        if len(set(each)) > 1:
            yield Apart(seed, each)


def _in_process(seeds: range, fidelity: Fidelity, parts: str, number: int) -> list[str]:
    command = [sys.executable, "-m", "scenarios.exploration.digests", "--each"]
    command += ["--first", str(seeds.start), "--seeds", str(len(seeds))]
    command += ["--fidelity", fidelity, "--parts", parts]
    if _backwards(number):
        command.append("--backwards")
    ended = subprocess.run(
        command,
        env={**os.environ, "PYTHONHASHSEED": _hash_seed(number)},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise PlayFailed(ended.stderr.strip() or f"it ended with status {ended.returncode}")
    return [line.split(" ", 2)[2] for line in ended.stdout.splitlines()[: len(seeds)]]


def _setting(number: int) -> str:
    order = "last seed first" if _backwards(number) else "in order"
    return f"PYTHONHASHSEED={_hash_seed(number)}, {order}"


def _hash_seed(number: int) -> str:
    return HASH_SEEDS[number % len(HASH_SEEDS)]


def _backwards(number: int) -> bool:
    return number % 2 == 1
