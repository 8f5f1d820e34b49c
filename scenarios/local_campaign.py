"""Trials in worlds of real actors, `local` and `docker`: a few episodes beside each other."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from chaos.nemesis import NotOffered
from scenarios.checkers import judge
from scenarios.episode import Episode, checkers_for
from scenarios.history import History, Recorder
from scenarios.scenario import Scenario
from scenarios.targets.targets import Targets
from scenarios.trial import Outcome, Trial
from scenarios.verdict import Valid, Verdict
from scenarios.worlds.housing import Housing, ThisMachine
from scenarios.worlds.local import LocalWorld
from scenarios.worlds.ports import Ports
from scenarios.worlds.world import EnvironmentFailed

EPISODE_S_MAX = 600.0
"""After this an episode is ended and counts as the environment's failure."""


@dataclass(frozen=True, slots=True)
class LocalCampaign:
    """`jobs` trials at a time; histories and logs under `folder`."""

    trials: Sequence[Trial]
    targets: Targets
    jobs: int
    folder: Path
    housing: Callable[[Trial], Housing] = field(default=lambda _trial: ThisMachine())
    """Where the servers of an episode live."""

    async def run(
        self, on_start: Callable[[Trial], None], on_outcome: Callable[[Outcome], None]
    ) -> None:
        """Runs every trial and tells each outcome as it comes. Cancelled, it ends what runs."""
        queue = iter(self.trials)
        ports = Ports(Random())

        async def work() -> None:
            for trial in queue:
                on_start(trial)
                on_outcome(await self._run(trial, ports))

        async with asyncio.TaskGroup() as group:
            for _job in range(self.jobs):
                group.create_task(work())

    async def _run(self, trial: Trial, ports: Ports) -> Outcome:
        loop = asyncio.get_running_loop()
        began = loop.time()
        scenario = trial.scenario
        path = self.folder / "history" / f"{trial.name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f"dtms-lab-{trial.name}-"))
        environment = ""
        try:
            try:
                async with asyncio.timeout(EPISODE_S_MAX):
                    await self._play(trial, path, work, ports)
            except (EnvironmentFailed, NotOffered) as failure:
                environment = str(failure)
            except TimeoutError:
                environment = f"the episode took longer than {EPISODE_S_MAX:.0f} s"
            verdicts = {} if environment else self._judge(scenario, path)
            outcome = Outcome(trial, verdicts, path, loop.time() - began, environment)
            if not isinstance(outcome.verdict, Valid):
                self._keep_logs(work, trial.name)
            return outcome
        finally:
            shutil.rmtree(work, ignore_errors=True)

    async def _play(self, trial: Trial, path: Path, work: Path, ports: Ports) -> None:
        targets = self.targets
        with Recorder(path) as recorder:
            async with LocalWorld(
                trial.scenario,
                trial.seed,
                client=targets.client,
                server=targets.server,
                folder=work,
                ports=ports,
                recorder=recorder,
                python=targets.python,
                housing=self.housing(trial),
            ) as world:
                await Episode(
                    trial.scenario, trial.seed, world, recorder, targets.client, targets.server
                ).run()

    def _judge(self, scenario: Scenario, path: Path) -> dict[str, Verdict]:
        names = checkers_for(scenario, self.targets.client, self.targets.server)
        return judge(History.read(path), names)

    def _keep_logs(self, work: Path, name: str) -> None:
        """What the actors wrote to standard error, for whoever looks into a failure."""
        kept = self.folder / "logs" / name
        kept.mkdir(parents=True, exist_ok=True)
        for log in work.glob("*.log"):
            shutil.copy(log, kept / log.name)
