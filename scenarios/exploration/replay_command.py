"""The command `replay`: each case again, and what is different now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from chaos.nemesis import NotOffered
from scenarios.case import CaseRefused, read_case
from scenarios.explain import explain
from scenarios.exploration.replay import Replayed, replay
from scenarios.history import Op, encode_op
from scenarios.output import ExitStatus, gravest
from scenarios.worlds.world import EnvironmentFailed
from simulator.deterministic.loop import SimulationError


def replay_and_report(paths: Sequence[Path], console: Console, errors: Console) -> ExitStatus:
    """Plays each case again: the same digest, or the first operation that differs."""
    worst = ExitStatus.PASSED
    for path in paths:
        try:
            case = read_case(path)
            again = replay(case)
        except (OSError, CaseRefused) as error:
            errors.print(f"dtms-lab: {error}", markup=False, soft_wrap=True)
            status = ExitStatus.USAGE
        except (EnvironmentFailed, NotOffered, SimulationError, ValueError) as error:
            errors.print(f"dtms-lab: {path}: {error}", markup=False, soft_wrap=True)
            status = ExitStatus.ENVIRONMENT_FAILED
        else:
            status = _tell_replay(path, again, console)
        worst = gravest(worst, status)
    return worst


def _tell_replay(path: Path, again: Replayed, console: Console) -> ExitStatus:
    """Violated where a property is broken again; inconclusive where it went another way."""

    def tell(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    history = again.judged.played.history
    if again.difference is None:
        tell(f"{path}: same digest {history.digest()[:16]}")
    else:
        difference = again.difference
        tell(f"{path}: operation {difference.index} differs")
        tell(f"  recorded: {_told(difference.recorded)}")
        tell(f"  now:      {_told(difference.now)}")
    for name in again.judged.broken:
        tell(explain(name, again.judged.verdicts[name], history))
    if again.judged.broken:
        return ExitStatus.VIOLATED
    tell("no property is broken")
    return ExitStatus.PASSED if again.difference is None else ExitStatus.INCONCLUSIVE


def _told(op: Op | None) -> str:
    return "the history had ended" if op is None else encode_op(op).decode().strip()
