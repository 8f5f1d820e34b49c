"""The command `explore`: progress on the terminal, what was found in a folder."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from scenarios.audition import Refusal, audition, audition_in_sim, not_simulated
from scenarios.case import versions
from scenarios.exploration.interruption import interruptible
from scenarios.exploration.search import Find, Limits, Tally, explore
from scenarios.exploration.seedling import Seedling
from scenarios.exploration.workers import cluster, processes
from scenarios.import_path import lab_environ
from scenarios.output import ExitStatus, replace_file
from scenarios.scenario import Scenario
from scenarios.targets.spec import TargetRefused
from scenarios.targets.targets import Targets, why_skipped
from scenarios.worlds.sim.foreign import why_not_simulated
from scenarios.worlds.sim.world import FIDELITIES, Fidelity

SCHEMA = 2
PLAIN_EVERY_S = 2.0
"""How often a line of progress is printed where there is no terminal."""
CONFIRM_S_MAX = 120.0


@dataclass(frozen=True, slots=True)
class ExploreRequest:
    """What the command line asked for. `cluster` is a Dask scheduler's address."""

    scenarios: Sequence[Scenario]
    targets: Targets
    fidelity: Fidelity | None
    seed: int
    limits: Limits
    workers: int
    cluster: str | None
    out: Path
    swarm: bool = True


def explore_and_report(request: ExploreRequest, console: Console, errors: Console) -> ExitStatus:
    """Explores, tells what it finds as it finds it, and writes summary.json and cases/.

    Raises as `seedlings` does."""
    began = datetime.now(UTC)
    fresh = seedlings(request)
    if not fresh:
        scenario = request.scenarios[0]
        why = why_skipped(scenario, request.targets)
        errors.print(
            f"dtms-lab: nothing can be explored with these targets; {scenario.name} {why}.",
            markup=False,
            soft_wrap=True,
        )
        return ExitStatus.INCONCLUSIVE
    refusal = asyncio.run(_hear(request))
    if refusal is not None:
        errors.print(str(refusal), markup=False, highlight=False, soft_wrap=True)
        return refusal.status
    report = _Report(request, console)
    with interruptible() as stop:
        with _executor(request) as (executor, workers), report:
            tally = explore(
                executor, workers, fresh, request.seed, request.limits, report.tell, stop
            )
        report.tell_finds(tally)
        tally.interrupted = tally.interrupted or stop()
        report.write(tally, began)
    report.close(tally)
    if tally.lost:
        errors.print(
            f"dtms-lab: a worker died ({tally.lost}); what had been found by then is kept.",
            markup=False,
            soft_wrap=True,
        )
    if tally.interrupted:
        errors.print("dtms-lab: interrupted; what had been found by then is kept.", markup=False)
    return _status(tally)


async def _hear(request: ExploreRequest) -> Refusal | None:
    """Why nothing can be explored."""
    targets = request.targets
    refusal = await audition(targets, request.out)
    if refusal is not None:
        return refusal
    why = await audition_in_sim(targets, request.out)
    return not_simulated(targets, why) if why else None


def seedlings(request: ExploreRequest) -> list[Seedling]:
    """One for each scenario and fidelity that can be explored, in the order of their turns.

    Raises `TargetRefused` where these targets cannot be simulated, or not at that fidelity."""
    targets = request.targets
    if why := why_not_simulated(targets.client, targets.server, request.fidelity):
        raise TargetRefused(why)
    if request.fidelity is not None:
        fidelities: tuple[Fidelity, ...] = (request.fidelity,)
    elif targets.are_reference:
        fidelities = FIDELITIES
    else:
        fidelities = ("socket",)
    return [
        Seedling(
            scenario.name,
            request.seed,
            fidelity,
            swarm=request.swarm,
            client=targets.client.name,
            server=targets.server.name,
        )
        for fidelity in fidelities
        for scenario in request.scenarios
        if not why_skipped(scenario, targets)
    ]


@contextmanager
def _executor(request: ExploreRequest) -> Iterator[tuple[Executor, int]]:
    if request.cluster is not None:
        with cluster(request.cluster) as (executor, workers):
            yield executor, workers
    else:
        with processes(request.workers) as pool:
            yield pool, request.workers


class _Report:
    """What a person sees while it goes on, and what is left in the folder."""

    def __init__(self, request: ExploreRequest, console: Console) -> None:
        self._request = request
        self._console = console
        self._told = 0
        self._printed_at = time.monotonic()
        self._line = ""
        live = Live(console=console, refresh_per_second=4, get_renderable=self._render)
        self._live = live if console.is_terminal else None

    def __enter__(self) -> _Report:
        if self._live is not None:
            self._live.__enter__()
        else:
            self._print(f"exploring from seed {self._request.seed}, {self._request.out}")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._live is not None:
            self._live.__exit__(None, None, None)

    def tell(self, tally: Tally) -> None:
        """Called several times a second."""
        self._line = progress_line(tally)
        self.tell_finds(tally)
        now = time.monotonic()
        if self._live is None and now - self._printed_at >= PLAIN_EVERY_S:
            self._printed_at = now
            self._print(self._line)

    def tell_finds(self, tally: Tally) -> None:
        """What was found since the last time, each with the way back."""
        for find in tally.finds[self._told :]:
            self._told += 1
            path = self._keep(find)
            size = ", ".join(f"{count} {what}" for what, count in find.small.size.items())
            words = [
                f"{find.failure.kind}: {find.failure.checker} in {find.failure.seedling.scenario}",
                f"{find.small.told}",
                f"made small in {find.small.plays} episodes, {find.small.cpu_s:.1f} s: {size}",
            ]
            try:
                self._print("\n".join(words))
                if not tally.interrupted:
                    self._print(confirm(path))
            finally:
                self._print(f"replay: dtms-lab replay {path}")

    def write(self, tally: Tally, began: datetime) -> None:
        """summary.json, whole or not at all."""
        folder = self._request.out
        folder.mkdir(parents=True, exist_ok=True)
        status = _status(tally)
        summary = {
            "schema": SCHEMA,
            "verdict": _VERDICTS[status],
            "exit_status": int(status),
            "started_at": began.isoformat(),
            "duration_s": round(tally.elapsed_s, 3),
            "seed": self._request.seed,
            "client": self._request.targets.client.name,
            "server": self._request.targets.server.name,
            "interrupted": tally.interrupted,
            "versions": versions(),
            "episodes": tally.episodes,
            "episodes_by_fidelity": dict(tally.by_fidelity),
            "behaviours": tally.behaviours,
            "simulated_s": round(tally.simulated_s, 1),
            "cpu_s": round(tally.cpu_s, 3),
            "without_verdict": tally.unknown,
            "could_not_be_played": tally.could_not,
            "failures": [
                {"scenario": scenario, "checker": checker, "episodes": count}
                for (scenario, checker), count in tally.failed.items()
            ],
            "cases": [str(_case_name(find)) for find in tally.finds],
        }
        replace_file(folder / "summary.json", (json.dumps(summary, indent=2) + "\n").encode())

    def close(self, tally: Tally) -> None:
        """The whole exploration in a few lines."""
        self._print(progress_line(tally))
        for seedling, why in tally.environment[:3]:
            self._print(f"could not play {seedling.scenario} seed {seedling.seed}: {why}")
        for (scenario, checker), count in sorted(tally.failed.items()):
            self._print(f"{count} of {tally.by_scenario[scenario]} {scenario}: {checker}")
        self._print(f"{_VERDICTS[_status(tally)]}. {self._request.out}")

    def _keep(self, find: Find) -> Path:
        path = self._request.out / _case_name(find)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, find.small.case.encode())
        return path

    def _render(self) -> Text:
        return Text(self._line)

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


_VERDICTS = {
    ExitStatus.PASSED: "valid",
    ExitStatus.VIOLATED: "invalid",
    ExitStatus.INCONCLUSIVE: "unknown",
    ExitStatus.ENVIRONMENT_FAILED: "unknown",
}


def _status(tally: Tally) -> ExitStatus:
    if tally.failed:
        return ExitStatus.VIOLATED
    if tally.could_not or tally.lost:
        return ExitStatus.ENVIRONMENT_FAILED
    if tally.interrupted or not tally.episodes:
        return ExitStatus.INCONCLUSIVE
    return ExitStatus.PASSED


def progress_line(tally: Tally) -> str:
    """Episodes, rate, simulated time, behaviours, failures."""
    fidelities = ", ".join(f"{count} {name}" for name, count in tally.by_fidelity.items())
    return (
        f"{tally.episodes} episodes ({fidelities or 'none yet'}), {tally.rate:.0f}/s; "
        f"{tally.simulated_s:.0f} s simulated in {tally.elapsed_s:.0f} s; "
        f"{tally.behaviours} behaviours; {sum(tally.failed.values())} failed"
    )


def _case_name(find: Find) -> Path:
    seedling = find.failure.seedling
    stem = f"{seedling.scenario}-{find.failure.checker}-{seedling.seed}-{seedling.fidelity}"
    return Path("cases", f"{stem}.json")


def confirm(path: Path) -> str:
    """Replays the case in a fresh process; what that says, in a sentence."""
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "scenarios", "replay", str(path)],
            capture_output=True,
            env=lab_environ(os.environ),
            text=True,
            timeout=CONFIRM_S_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"NOT confirmed in a fresh process: it took more than {CONFIRM_S_MAX:.0f} s"
    if ended.returncode == ExitStatus.VIOLATED and "same digest" in ended.stdout:
        return "confirmed in a fresh process: same digest"
    words = (ended.stdout + ended.stderr).strip().splitlines() or ["it said nothing"]
    return f"NOT confirmed in a fresh process (status {ended.returncode}): {words[0]}"
