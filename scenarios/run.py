"""The command `run`: a campaign with its progress on the terminal and its results in a folder."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from scenarios.audition import audition, audition_in_sim, not_simulated
from scenarios.campaign import Campaign
from scenarios.explain import explain
from scenarios.exploration.batch import Small
from scenarios.exploration.workers import cores
from scenarios.history import History
from scenarios.output import ExitStatus, RunReport
from scenarios.progress import Progress, progress_for
from scenarios.scenario import Scenario
from scenarios.targets.targets import Targets
from scenarios.trial import Outcome, Trial, WorldName, run_again
from scenarios.verdict import Invalid, Unknown
from scenarios.worlds.docker.session import connect
from scenarios.worlds.sim.world import Fidelity
from scenarios.worlds.world import EnvironmentFailed


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the command line asked for."""

    scenarios: Sequence[Scenario]
    targets: Targets
    worlds: Sequence[WorldName]
    fidelity: Fidelity | None
    seed: int
    repeat: int | None
    jobs: int
    out: Path | None


def run_and_report(request: RunRequest, console: Console, errors: Console) -> ExitStatus:
    """Runs, prints, writes, and says how it went.

    Raises `FileExistsError` where the folder already holds results, which are never overwritten.
    """
    folder = results_folder(request.out)
    campaign = Campaign(
        scenarios=request.scenarios,
        targets=request.targets,
        worlds=request.worlds,
        fidelity=request.fidelity,
        seed=request.seed,
        repeat=request.repeat,
        jobs=request.jobs,
        workers=cores(),
        folder=folder,
    )
    report = RunReport(campaign, datetime.now(UTC))
    try:
        asyncio.run(_hear(report, errors))
    except (KeyboardInterrupt, asyncio.CancelledError):
        report.interrupted = True
    if "docker" in request.worlds and not report.interrupted:
        _find_engine(report, errors)
    progress = progress_for(console, report.campaign)
    if not report.refused and not report.interrupted:
        with progress:
            _run_to_its_end(report, progress, errors)
    report.write(datetime.now(UTC))
    if not report.refused:
        progress.print_matrix(report)
    if report.lost:
        sentence = f"dtms-lab: a worker died ({report.lost}); what had ended by then is kept."
        errors.print(sentence, markup=False, soft_wrap=True)
    if report.interrupted:
        errors.print("dtms-lab: interrupted; what had ended by then is kept.", markup=False)
    return report.exit_status()


async def _hear(report: RunReport, errors: Console) -> None:
    """Notes in the report why nothing can be played. What can only not be simulated is left out of
    the campaign."""
    campaign = report.campaign
    if not campaign.all_trials():
        return
    _cancel_at_sigterm()
    refusal = await audition(campaign.targets, campaign.folder)
    if refusal is None and "sim" in campaign.worlds and campaign.trials("sim"):
        why = await audition_in_sim(campaign.targets, campaign.folder)
        if why and campaign.worlds == ("sim",):
            refusal = not_simulated(campaign.targets, why)
        report.campaign = replace(campaign, not_in_sim=why)
    if refusal is not None:
        errors.print(str(refusal), markup=False, highlight=False, soft_wrap=True)
        report.refused, report.refused_as = refusal.sentence, refusal.status


def _find_engine(report: RunReport, errors: Console) -> None:
    """Notes in the report why there can be no containers."""
    try:
        connect().close()
    except EnvironmentFailed as failure:
        _fail(report, failure, errors)


def _fail(report: RunReport, failure: EnvironmentFailed, errors: Console) -> None:
    errors.print(f"dtms-lab: {failure}", markup=False, highlight=False, soft_wrap=True)
    report.refused, report.refused_as = str(failure), ExitStatus.ENVIRONMENT_FAILED


def _cancel_at_sigterm() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _run_to_its_end(report: RunReport, progress: Progress, errors: Console) -> None:
    try:
        asyncio.run(_run(report.campaign, report, progress))
    except EnvironmentFailed as failure:
        _fail(report, failure, errors)
    except (KeyboardInterrupt, asyncio.CancelledError):
        report.interrupted = True
    except BrokenExecutor as error:
        report.lost = str(error) or type(error).__name__


async def _run(campaign: Campaign, report: RunReport, progress: Progress) -> None:
    _cancel_at_sigterm()
    told: set[tuple[str, str]] = set()

    def on_outcome(outcome: Outcome) -> None:
        report.add(outcome)
        progress.ended(outcome)
        trial = outcome.trial
        if isinstance(outcome.verdict, Invalid):
            key = (trial.world, trial.scenario.name)
            if trial.world != "sim" or key not in told:
                progress.say(tell_failure(report, outcome))
            told.add(key)
        elif outcome.environment:
            progress.say(f"UNKNOWN {trial.told}: {outcome.environment}")
        elif isinstance(outcome.verdict, Unknown) and trial.world != "sim":
            progress.say(f"UNKNOWN {trial.told}: {outcome.verdict.why}")

    def on_small(trial: Trial, small: Small) -> None:
        path = report.add_small(trial, small)
        size = ", ".join(f"{count} {what}" for what, count in small.size.items())
        progress.say(
            f"{trial.told}, made small in {small.plays} episodes: {size}\n{small.told}\n"
            f"replay: dtms-lab replay {path}"
        )

    await campaign.run(progress.started, on_outcome, on_small)


def tell_failure(report: RunReport, outcome: Outcome) -> str:
    """With the way back."""
    trial, targets = outcome.trial, report.campaign.targets
    told = list(outcome.told.values())
    if not told and outcome.history is not None:
        history = History.read(outcome.history)
        told = [
            explain(name, verdict, history)
            for name, verdict in outcome.verdicts.items()
            if isinstance(verdict, Invalid)
        ]
    lines = [trial.told, *told, f"history: {outcome.history}"]
    if trial.world != "sim":
        client, server = targets.client.name, targets.server.name
        again = run_again(trial.world, trial.scenario.name, trial.seed, client, server)
        lines.append(f"replay: {again}")
    return "\n".join(lines)


def results_folder(out: Path | None) -> Path:
    """`runs/<id>`, or the folder asked for, which must hold no results yet, and is made: who waits
    for results must not learn at the end that there is no place for them.

    Raises `OSError`."""
    if out is None:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        return Path("runs") / f"{stamp}-{secrets.token_hex(2)}"
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"--out {out}: is not an empty folder; nothing there was touched")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"--out {out}: cannot be made: {error.strerror}") from error
    return out
