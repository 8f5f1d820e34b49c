"""All checks of a run, one after the other, and what came of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Failed, NeverUp, Undecided
from scenarios.contract.exchange import Exchange
from scenarios.output import ExitStatus
from scenarios.targets.spec import FactoryServer, ServerTarget
from scenarios.worlds.world import ActorGone, EnvironmentFailed

Verdict = Literal["passed", "failed", "undecided", "skipped"]


@dataclass(frozen=True, slots=True)
class Result:
    """`exchange` is the request that shows it, or the last one where all was well."""

    check: Check
    verdict: Verdict
    why: str = ""
    exchange: Exchange | None = None
    duration_s: float = 0.0


def skipped(check: Check, target: ServerTarget, profile: str, left_out: frozenset[str]) -> str:
    """Why the check is not made; empty where it is."""
    if "optional" in check.needs & left_out:
        return f"the profile {profile} leaves optional endpoints out"
    if "own" in check.needs and not target.restartable:
        return "the lab has not started this server, and must neither kill nor restart it"
    if "broker" in check.needs and not target.takes_broker:
        return "this server takes no broker"
    if "registry" in check.needs and not target.takes_registry:
        return "this server takes no trade registry"
    if "port" in check.needs and isinstance(target, FactoryServer):
        return "an ASGI application does not open its port: the lab does, after it was made"
    return ""


def prove_all(
    bench: Bench, checks: Sequence[Check], profile: str, left_out: frozenset[str]
) -> Iterator[Result]:
    """Each result as it comes. Raises `NeverUp`."""
    if any(not skipped(check, bench.target, profile, left_out) for check in checks):
        bench.shared()
    for check in checks:
        why = skipped(check, bench.target, profile, left_out)
        yield Result(check, "skipped", why) if why else _prove(bench, check)


def _prove(bench: Bench, check: Check) -> Result:
    bench.exchanges.clear()
    began = time.monotonic()

    def result(verdict: Verdict, why: str = "", exchange: Exchange | None = None) -> Result:
        return Result(check, verdict, why, exchange, time.monotonic() - began)

    try:
        if "own" not in check.needs:
            bench.shared()
        check.prove(bench)
    except Failed as error:
        why = error.why
        if error.exchange is not None and error.exchange.status is None:
            why = f"{why}. {bench.words()}".strip()
        return result("failed", why, error.exchange)
    except Undecided as error:
        return result("undecided", str(error), _last(bench))
    except (EnvironmentFailed, ActorGone, TimeoutError, OSError, NeverUp) as error:
        return result("undecided", str(error) or type(error).__name__, _last(bench))
    return result("passed", "", _last(bench))


def _last(bench: Bench) -> Exchange | None:
    return bench.exchanges[-1] if bench.exchanges else None


def status_of(results: Sequence[Result], *, strict: bool) -> ExitStatus:
    """A MUST that failed outweighs one that was not decided."""

    def any_is(verdict: Verdict, counts: Callable[[Result], bool]) -> bool:
        return any(result.verdict == verdict and counts(result) for result in results)

    def weighs(result: Result) -> bool:
        return strict or result.check.level == "MUST"

    if any_is("failed", weighs):
        return ExitStatus.VIOLATED
    decided = any(result.verdict in ("passed", "failed") for result in results)
    if any_is("undecided", weighs) or not decided:
        return ExitStatus.INCONCLUSIVE
    return ExitStatus.PASSED
