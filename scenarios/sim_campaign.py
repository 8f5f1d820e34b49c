"""Trials in the world `sim`: batches of episodes on every core."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from chaos.nemesis import NotOffered
from scenarios.explain import explain
from scenarios.exploration.batch import Failure, Small, shrink_failure
from scenarios.exploration.judged import judged
from scenarios.exploration.seedling import Seedling, plan_of
from scenarios.exploration.workers import processes
from scenarios.targets.targets import Targets
from scenarios.trial import Outcome, Trial
from scenarios.verdict import Invalid, Unknown, Valid, Verdict
from scenarios.worlds.world import EnvironmentFailed
from simulator.deterministic.loop import SimulationError

T = TypeVar("T")

BATCH = {"message": 16, "http": 8, "socket": 2}
"""Episodes of one job: some tenths of a second."""
HISTORIES_KEPT_MAX = 200
"""Up to so many episodes every history is kept; of more, only those that are not valid."""


@dataclass(frozen=True, slots=True)
class SimCampaign:
    """`workers` processes; histories and cases under `folder`."""

    trials: Sequence[Trial]
    targets: Targets
    workers: int
    folder: Path

    async def run(
        self,
        on_outcome: Callable[[Outcome], None],
        on_small: Callable[[Trial, Small], None],
    ) -> None:
        """Plays every trial and tells each outcome as it comes; the first failure of each scenario
        is made small. Cancelled, it ends what runs."""
        keep = len(self.trials) <= HISTORIES_KEPT_MAX
        shrunk: set[str] = set()
        running: dict[asyncio.Future[list[Told]], list[Trial]] = {}
        with processes(self.workers) as pool:
            batches = self._batches()
            while True:
                for batch in islice(batches, self.workers * 2 - len(running)):
                    seedlings = [self._seedling(trial) for trial in batch]
                    running[_begun(pool, play_told, seedlings, keep)] = batch
                if not running:
                    return
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for job in done:
                    for trial, told in zip(running.pop(job), job.result(), strict=True):
                        on_outcome(self._outcome(trial, told))
                        broken = _first_broken(told)
                        if broken is not None and trial.scenario.name not in shrunk:
                            shrunk.add(trial.scenario.name)
                            failure = Failure(self._seedling(trial), broken, "", "")
                            # Shielded: the pool's own thread would stumble over what is cancelled.
                            small = await asyncio.shield(_begun(pool, shrink_failure, failure))
                            on_small(trial, small)

    def _batches(self) -> Iterator[list[Trial]]:
        batch: list[Trial] = []
        for trial in self.trials:
            if batch and (
                trial.fidelity != batch[0].fidelity or len(batch) >= BATCH[trial.fidelity]
            ):
                yield batch
                batch = []
            batch.append(trial)
        if batch:
            yield batch

    def _seedling(self, trial: Trial) -> Seedling:
        return Seedling(
            trial.scenario.name,
            trial.seed,
            trial.fidelity,
            trial.schedule,
            client=self.targets.client.name,
            server=self.targets.server.name,
        )

    def _outcome(self, trial: Trial, told: Told) -> Outcome:
        path = None
        if told.history is not None:
            path = self.folder / "history" / f"{trial.name}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(told.history)
        for actor, text in told.output.items():
            log = self.folder / "logs" / trial.name / f"{actor}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(text, encoding="utf-8", errors="replace")
        return Outcome(trial, told.verdicts, path, told.duration_s, told.environment, told.told)


@dataclass(frozen=True, slots=True)
class Told:
    """What a worker tells of one episode."""

    verdicts: dict[str, Verdict]
    duration_s: float
    environment: str
    history: bytes | None
    told: dict[str, str]
    output: Mapping[str, str]
    """What foreign targets wrote, by actor, where the verdict is not that all is well."""


def _begun(pool: Executor, job: Callable[..., T], *args: object) -> asyncio.Future[T]:
    """The job under way. Where nobody waits for it any more, what becomes of it is no news."""
    future = asyncio.get_running_loop().run_in_executor(pool, partial(job, *args))
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


def play_told(seedlings: Sequence[Seedling], keep: bool) -> list[Told]:
    """In a worker: plays and judges each."""
    return [_told(seedling, keep) for seedling in seedlings]


def _told(seedling: Seedling, keep: bool) -> Told:
    began = time.perf_counter()
    try:
        outcome = judged(plan_of(seedling))
    except (EnvironmentFailed, NotOffered, SimulationError) as error:
        output = error.output if isinstance(error, EnvironmentFailed) else {}
        return Told({}, time.perf_counter() - began, str(error), None, {}, dict(output))
    history = outcome.played.history
    verdicts = dict(outcome.verdicts)
    told = {n: explain(n, v, history) for n, v in verdicts.items() if isinstance(v, Invalid)}
    keep = keep or any(isinstance(v, Invalid | Unknown) for v in verdicts.values())
    encoded = history.encode() if keep else None
    output = {} if isinstance(outcome.verdict, Valid) else outcome.played.output
    return Told(verdicts, time.perf_counter() - began, "", encoded, told, output)


def _first_broken(told: Told) -> str | None:
    return next((name for name, v in told.verdicts.items() if isinstance(v, Invalid)), None)
