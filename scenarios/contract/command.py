"""`dtms-lab contract`: the run from its words to its exit status."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from scenarios.contract.bench import Bench
from scenarios.contract.catalogue import PROFILES, named
from scenarios.contract.check import NeverUp
from scenarios.contract.report import Report
from scenarios.contract.run import Result, prove_all
from scenarios.output import ExitStatus
from scenarios.targets.spec import ServerTarget
from scenarios.worlds.world import EnvironmentFailed

EXTRA = ("hypothesis", "schemathesis")


class ExtraMissing(OSError):
    """The message says how to install it."""


@dataclass(frozen=True, slots=True)
class ContractRequest:
    """What was asked for. `only` names checks; nothing means all."""

    server: ServerTarget
    profile: str
    only: list[str]
    seed: int
    strict: bool
    as_json: bool
    out: Path | None


def require_extra() -> None:
    """Raises `ExtraMissing` where the packages that checks need are not there."""
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise ExtraMissing(
            f"contract needs {' and '.join(missing)}: install dtms-lab with its extra, "
            "dtms-lab[contract]"
        )


def contract_and_report(request: ContractRequest, console: Console, errors: Console) -> ExitStatus:
    """Makes the checks and tells what came of them. Raises `KeyError` with a sentence for what
    there is not, and `OSError`."""
    if request.profile not in PROFILES:
        known = ", ".join(PROFILES)
        raise KeyError(f"there is no profile {request.profile!r}; there are: {known}")
    checks = named(request.only)
    require_extra()
    results: list[Result] = []
    trouble, ended = "", None
    try:
        with Bench(request.server, request.seed) as bench:
            for result in prove_all(bench, checks, request.profile, PROFILES[request.profile]):
                results.append(result)
                _tell_progress(errors, result, len(results), len(checks))
    except (NeverUp, EnvironmentFailed) as error:
        trouble, ended = str(error), ExitStatus.ENVIRONMENT_FAILED
    except KeyboardInterrupt:
        trouble, ended = "Interrupted; the rest was not checked.", ExitStatus.INCONCLUSIVE
    report = Report(
        request.server.name, request.profile, request.seed, request.strict, results, trouble, ended
    )
    if request.out is not None:
        report.write(request.out)
    if request.as_json:
        print(json.dumps(report.told()))  # noqa: T201 - for a program to read
    else:
        report.print(console)
    return report.status


def _tell_progress(errors: Console, result: Result, done: int, checks: int) -> None:
    if errors.is_terminal:
        line = f"{done}/{checks} {result.check.name}: {result.verdict}"
        errors.print(line, markup=False, highlight=False)
