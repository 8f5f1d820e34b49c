"""A campaign: many episodes of some scenarios, several at a time, each judged from its history."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from chaos.nemesis import NotOffered
from scenarios.checkers import judge
from scenarios.episode import Episode, checkers_for
from scenarios.history import History, Recorder
from scenarios.scenario import Scenario
from scenarios.targets.spec import (
    ClientTarget,
    ReferenceClient,
    RunningServer,
    ServerTarget,
    SimulatedServer,
)
from scenarios.verdict import Unknown, Valid, Verdict, combine
from scenarios.worlds.local import LocalWorld
from scenarios.worlds.ports import Ports
from scenarios.worlds.world import EnvironmentFailed

EPISODE_S_MAX = 600.0
"""After this an episode is ended and counts as the environment's failure."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What is under test. `python` runs Python clients."""

    client: ClientTarget = field(default_factory=ReferenceClient)
    server: ServerTarget = field(default_factory=SimulatedServer)
    python: str = sys.executable


@dataclass(frozen=True, slots=True)
class EpisodeResult:
    """What one episode came to. `environment` is why it could not be run to its end, or empty."""

    scenario: Scenario
    seed: int
    verdicts: Mapping[str, Verdict]
    history: Path
    duration_s: float
    environment: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.environment:
            return Unknown(self.environment)
        return combine(self.verdicts.values())


@dataclass(frozen=True, slots=True)
class Skipped:
    """A scenario that these targets cannot be put through, and why."""

    scenario: Scenario
    why: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """`repeat` times the episodes of each scenario, `jobs` at a time, histories under `folder`."""

    scenarios: Sequence[Scenario]
    targets: Targets
    seed: int
    repeat: int
    jobs: int
    folder: Path

    def episodes(self) -> tuple[tuple[Scenario, int], ...]:
        """Every episode to run: scenario and seed, the longest first so that none trails."""
        return tuple(
            (scenario, self.seed + n)
            for scenario in sorted(self._runnable(), key=lambda s: -s.faults_last_s)
            for n in range(scenario.episodes * self.repeat)
        )

    def skipped(self) -> tuple[Skipped, ...]:
        """What these targets cannot be put through."""
        return tuple(
            Skipped(scenario, why)
            for scenario in self.scenarios
            if (why := why_skipped(scenario, self.targets))
        )

    def _runnable(self) -> tuple[Scenario, ...]:
        return tuple(s for s in self.scenarios if not why_skipped(s, self.targets))

    async def run(
        self,
        on_start: Callable[[Scenario, int], None],
        on_result: Callable[[EpisodeResult], None],
    ) -> None:
        """Runs every episode and tells each result as it comes. Cancelled, it ends what runs."""
        queue = iter(self.episodes())
        ports = Ports(Random())

        async def work() -> None:
            for scenario, seed in queue:
                on_start(scenario, seed)
                on_result(await self._episode(scenario, seed, ports))

        async with asyncio.TaskGroup() as group:
            for _job in range(self.jobs):
                group.create_task(work())

    async def _episode(self, scenario: Scenario, seed: int, ports: Ports) -> EpisodeResult:
        loop = asyncio.get_running_loop()
        began = loop.time()
        path = self.folder / "history" / f"{scenario.name}-{seed}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f"dtms-lab-{scenario.name}-{seed}-"))
        environment = ""
        try:
            try:
                async with asyncio.timeout(EPISODE_S_MAX):
                    await self._play(scenario, seed, path, work, ports)
            except (EnvironmentFailed, NotOffered) as failure:
                environment = str(failure)
            except TimeoutError:
                environment = f"the episode took longer than {EPISODE_S_MAX:.0f} s"
            result = EpisodeResult(
                scenario,
                seed,
                {} if environment else self._judge(scenario, path),
                path,
                loop.time() - began,
                environment,
            )
            if not isinstance(result.verdict, Valid):
                self._keep_logs(work, f"{scenario.name}-{seed}")
            return result
        finally:
            shutil.rmtree(work, ignore_errors=True)

    async def _play(
        self, scenario: Scenario, seed: int, path: Path, work: Path, ports: Ports
    ) -> None:
        targets = self.targets
        with Recorder(path) as recorder:
            async with LocalWorld(
                scenario,
                seed,
                client=targets.client,
                server=targets.server,
                folder=work,
                ports=ports,
                recorder=recorder,
                python=targets.python,
            ) as world:
                episode = Episode(scenario, seed, world, recorder, targets.client, targets.server)
                await episode.run()

    def _judge(self, scenario: Scenario, path: Path) -> dict[str, Verdict]:
        return judge(History.read(path), checkers_for(scenario, self.targets.client))

    def _keep_logs(self, work: Path, name: str) -> None:
        """What the actors wrote to standard error, for whoever looks into a failure."""
        kept = self.folder / "logs" / name
        kept.mkdir(parents=True, exist_ok=True)
        for log in work.glob("*.log"):
            shutil.copy(log, kept / log.name)


def why_skipped(scenario: Scenario, targets: Targets) -> str:
    """Why these targets cannot be judged by the scenario; empty where they can."""
    client, server = targets.client, targets.server
    if scenario.demands == "durable" and client.level != "durable":
        return f"demands a durable client; {client.name} owes what a helper owes"
    if scenario.reference_only and not isinstance(client, ReferenceClient):
        return scenario.reference_only
    if "broker" in scenario.needs and not server.takes_broker:
        return f"needs a server that takes the broker; {server.name} does not"
    if scenario.server.lab_faults and not server.has_lab:
        return f"needs the control plane of the simulated server; {server.name} has none"
    if isinstance(server, RunningServer) and not scenario.start_up(Random(0)).ready_first:
        return f"starts the server itself; {server.name} runs already"
    return ""
