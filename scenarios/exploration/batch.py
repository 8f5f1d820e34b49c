"""What a worker does: plays a batch of seedlings, or makes one failure small."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaos.nemesis import NotOffered
from scenarios.explain import explain
from scenarios.exploration.fingerprint import fingerprint
from scenarios.exploration.judged import judged
from scenarios.exploration.seedling import Seedling, plan_of
from scenarios.exploration.shrink import Shrinker
from scenarios.worlds.process import end_with_the_lab
from scenarios.worlds.world import EnvironmentFailed
from simulator.deterministic.loop import SimulationError


@dataclass(frozen=True, slots=True)
class Failure:
    """A seedling that breaks a property. `kind`: `safety` or `liveness`."""

    seedling: Seedling
    checker: str
    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class Small:
    """A failure made small: its case file's text, what its checker says in words, what is left of
    the plan, counted, how many episodes that took and how many CPU seconds."""

    case: str
    told: str
    size: Mapping[str, int]
    plays: int
    cpu_s: float


@dataclass(slots=True)
class BatchResult:
    """`fingerprints` in the order of the seedlings, empty for those that could not be played."""

    episodes: int = 0
    unknown: int = 0
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    fingerprints: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    environment: list[tuple[Seedling, str]] = field(default_factory=list)


def begin_work() -> None:
    """In a fresh worker: the lab ends it, not Ctrl-C, and it ends with the lab; what is loaded is
    never collected."""
    end_with_the_lab()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()


def play_batch(seedlings: Sequence[Seedling]) -> BatchResult:
    """Plays and judges each; nothing that goes wrong in one harms the others."""
    result = BatchResult()
    began = time.process_time()
    for seedling in seedlings:
        gc.collect()  # what the one before left behind, while it is still in the caches
        try:
            outcome = judged(plan_of(seedling))
        except (EnvironmentFailed, NotOffered, SimulationError) as error:
            result.environment.append((seedling, f"{type(error).__name__}: {error}"))
            result.fingerprints.append("")
            continue
        result.episodes += 1
        result.simulated_s += outcome.played.time_s
        result.fingerprints.append(fingerprint(outcome.played.history))
        if outcome.broken:
            result.failures.append(Failure(seedling, outcome.broken[0], outcome.kind, outcome.why))
        elif outcome.verdict.why:
            result.unknown += 1
    gc.collect()
    result.cpu_s = time.process_time() - began
    return result


def shrink_failure(failure: Failure) -> Small:
    """The failure made small."""
    began = time.process_time()
    first = judged(plan_of(failure.seedling))
    shrunk = Shrinker(first, failure.checker).shrink()
    took_s = time.process_time() - began
    last = shrunk.judged
    told = explain(failure.checker, last.verdicts[failure.checker], last.played.history)
    gc.collect()
    return Small(last.case().encode(), told, shrunk.size, shrunk.plays, took_s)
