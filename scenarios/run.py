"""The command `run`: a campaign with its progress on the terminal and its results in a folder."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from scenarios.campaign import Campaign, EpisodeResult, Targets
from scenarios.explain import explain
from scenarios.history import History
from scenarios.output import ExitStatus, RunReport
from scenarios.progress import Progress, progress_for
from scenarios.scenario import Scenario
from scenarios.targets.spec import ClientTarget, ServerTarget
from scenarios.verdict import Invalid, Unknown


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the command line asked for."""

    scenarios: Sequence[Scenario]
    client: ClientTarget
    server: ServerTarget
    seed: int
    repeat: int
    jobs: int
    out: Path | None
    python: str


def run_and_report(request: RunRequest, console: Console, errors: Console) -> ExitStatus:
    """Runs, prints, writes, and says how it went.

    Raises `FileExistsError` where the folder already holds results, which are never overwritten.
    """
    folder = _folder(request.out)
    campaign = Campaign(
        scenarios=request.scenarios,
        targets=Targets(request.client, request.server, request.python),
        seed=request.seed,
        repeat=request.repeat,
        jobs=request.jobs,
        folder=folder,
    )
    report = RunReport(campaign, datetime.now(UTC))
    with progress_for(console, campaign) as progress:
        try:
            asyncio.run(_run(campaign, report, progress))
        except (KeyboardInterrupt, asyncio.CancelledError):
            report.interrupted = True
    report.write(datetime.now(UTC))
    progress.print_matrix(report)
    if report.interrupted:
        errors.print("dtms-lab: interrupted; what had ended by then is kept.", markup=False)
    return report.exit_status()


async def _run(campaign: Campaign, report: RunReport, progress: Progress) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

    def on_result(result: EpisodeResult) -> None:
        report.add(result)
        progress.ended(result)
        if isinstance(result.verdict, Invalid):
            progress.say(_tell_failure(report, result))
        elif isinstance(result.verdict, Unknown):
            progress.say(f"UNKNOWN {result.scenario.name} seed {result.seed}: {result.verdict.why}")

    await campaign.run(progress.started, on_result)


def _tell_failure(report: RunReport, result: EpisodeResult) -> str:
    history = History.read(result.history)
    told = [
        explain(name, verdict, history)
        for name, verdict in result.verdicts.items()
        if isinstance(verdict, Invalid)
    ]
    return "\n".join(
        [
            f"{result.scenario.name} seed {result.seed}",
            *told,
            f"history: {result.history}",
            f"replay: {replay_command(report, result)}",
        ]
    )


def replay_command(report: RunReport, result: EpisodeResult) -> str:
    """The command that plays the same episode again."""
    targets = report.campaign.targets
    words = ["dtms-lab", "run", result.scenario.name, "--seed", str(result.seed)]
    if targets.client.name != "reference":
        words += ["--client", targets.client.name]
    if targets.server.name != "simulated":
        words += ["--server", targets.server.name]
    return " ".join(f"'{word}'" if " " in word else word for word in words)


def _folder(out: Path | None) -> Path:
    """`runs/<id>`, or the folder asked for, which must hold no results yet."""
    if out is None:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        return Path("runs") / f"{stamp}-{secrets.token_hex(2)}"
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"--out {out}: is not an empty folder; nothing there was touched")
    return out
