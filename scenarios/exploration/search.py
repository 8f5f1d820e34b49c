"""Explores: hands batches to workers, gathers what is new and what fails, makes failures small.

Workers are any `concurrent.futures.Executor`: processes of this machine, or a cluster's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field
from typing import Any

from scenarios.exploration.batch import BatchResult, Failure, Small, play_batch, shrink_failure
from scenarios.exploration.frontier import Frontier
from scenarios.exploration.seedling import Seedling

BATCH = 16
"""Episodes of one job."""
AHEAD = 2
"""Jobs that wait for each worker, so that none is idle."""
SHRUNK_MAX = 3
"""How many failures of one checker in one scenario are made small; of the others only the number
is told."""
POLL_S = 0.25
ENVIRONMENT_KEPT_MAX = 20


@dataclass(frozen=True, slots=True)
class Find:
    """A failure, and the smallest plan that fails alike."""

    failure: Failure
    small: Small
    episode: int
    """How many episodes had been played when it was found."""


@dataclass(slots=True)
class Tally:
    """What is known so far."""

    began: float
    episodes: int = 0
    unknown: int = 0
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    behaviours: int = 0
    by_fidelity: Counter[str] = field(default_factory=Counter)
    by_scenario: Counter[str] = field(default_factory=Counter)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By scenario and checker."""
    finds: list[Find] = field(default_factory=list)
    environment: list[tuple[Seedling, str]] = field(default_factory=list)
    could_not: int = 0
    interrupted: bool = False
    lost: str = ""
    """Why the workers are gone, where they are."""

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.began

    @property
    def rate(self) -> float:
        """Episodes a second, by the clock on the wall."""
        return self.episodes / self.elapsed_s if self.elapsed_s else 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop: after so many episodes or seconds, whichever comes first."""

    episodes: int | None = None
    seconds: float | None = None
    first_failure: bool = False


def explore(
    executor: Executor,
    workers: int,
    fresh: Sequence[Seedling],
    seed: int,
    limits: Limits,
    tell: Callable[[Tally], None],
    stop: Callable[[], bool] = lambda: False,
) -> Tally:
    """Explores until a limit is reached, `stop` says so, Ctrl-C, or the workers are gone; then ends
    what is under way and returns all that was found. `tell` is called several times a second."""
    search = _Search(executor, workers, Frontier(fresh, seed), limits, tell, stop)
    search.run()
    return search.tally


class _Search:
    def __init__(
        self,
        executor: Executor,
        workers: int,
        frontier: Frontier,
        limits: Limits,
        tell: Callable[[Tally], None],
        stop: Callable[[], bool],
    ) -> None:
        self.tally = Tally(time.monotonic())
        self._stop = stop
        self._executor = executor
        self._workers = workers
        self._frontier = frontier
        self._limits = limits
        self._tell = tell
        self._jobs: dict[Future[Any], list[Seedling] | Failure] = {}
        self._handed_out = 0
        self._shrinking: Counter[tuple[str, str]] = Counter()

    def run(self) -> None:
        try:
            while True:
                self._hand_out()
                self.tally.interrupted = self._stop()
                if not self._jobs or self.tally.interrupted:
                    break
                done, _ = wait(self._jobs, POLL_S, FIRST_COMPLETED)
                # In the order in which they were handed out: a set has another in each process.
                for future in [job for job in self._jobs if job in done]:
                    self._take(future)
                self._tell(self.tally)
        except KeyboardInterrupt:
            self.tally.interrupted = True
        except BrokenExecutor as error:
            self.tally.lost = str(error) or type(error).__name__

    def _hand_out(self) -> None:
        while len(self._jobs) < self._workers * AHEAD and (count := self._wanted()):
            seedlings = self._frontier.take(count)
            self._handed_out += count
            self._jobs[self._executor.submit(play_batch, seedlings)] = seedlings

    def _wanted(self) -> int:
        limits, tally = self._limits, self.tally
        if limits.seconds is not None and tally.elapsed_s >= limits.seconds:
            return 0
        if limits.first_failure and (tally.finds or self._shrinking):
            return 0
        if limits.episodes is None:
            return BATCH
        return min(BATCH, limits.episodes - self._handed_out)

    def _take(self, future: Future[Any]) -> None:
        about = self._jobs.pop(future)
        try:
            result = future.result()
        except BrokenExecutor:
            raise
        except Exception as error:  # noqa: BLE001 - told at the end, and the status says so
            self._count_trouble(about, f"{type(error).__name__}: {error}")
            return
        if isinstance(about, Failure):
            self.tally.finds.append(Find(about, result, self.tally.episodes))
        else:
            self._count(about, result)

    def _count_trouble(self, about: list[Seedling] | Failure, why: str) -> None:
        lost = [about.seedling] if isinstance(about, Failure) else about
        self._keep_trouble([(seedling, why) for seedling in lost])

    def _keep_trouble(self, trouble: list[tuple[Seedling, str]]) -> None:
        tally = self.tally
        tally.could_not += len(trouble)
        tally.environment += trouble[: max(0, ENVIRONMENT_KEPT_MAX - len(tally.environment))]

    def _count(self, seedlings: list[Seedling], result: BatchResult) -> None:
        tally = self.tally
        tally.episodes += result.episodes
        tally.unknown += result.unknown
        tally.simulated_s += result.simulated_s
        tally.cpu_s += result.cpu_s
        self._keep_trouble(result.environment)
        for seedling, mark in zip(seedlings, result.fingerprints, strict=True):
            if mark:
                tally.by_fidelity[seedling.fidelity] += 1
                tally.by_scenario[seedling.scenario] += 1
        self._frontier.learn(seedlings, result.fingerprints)
        tally.behaviours = self._frontier.behaviours
        for failure in result.failures:
            key = (failure.seedling.scenario, failure.checker)
            tally.failed[key] += 1
            if self._shrinking[key] < SHRUNK_MAX:
                self._shrinking[key] += 1
                self._jobs[self._executor.submit(shrink_failure, failure)] = failure
