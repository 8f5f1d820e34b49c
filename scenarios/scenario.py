"""A scenario: which trades are registered by whom, which faults happen, and what must hold.

A scenario is data. It names capabilities, not worlds, so that it runs unchanged wherever what it
needs is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Literal

from chaos.schedule import Scheduled
from core.settings import Policy as CorePolicy
from scenarios.targets.spec import Level
from scenarios.workload import Workload


class Family(StrEnum):
    """A suite: what kind of thing goes wrong."""

    DOWN = "down"
    TIMEOUTS = "timeouts"
    ERRORS = "errors"
    RACES = "races"
    STARTUP = "startup"
    DUPLICATES = "duplicates"
    RECOVERY = "recovery"
    OWNERSHIP = "ownership"


Need = Literal["broker", "main-api"]
"""An actor beside server and services that the scenario cannot do without."""

Plan = Callable[[Random], tuple[Scheduled, ...]]
"""Which faults happen when, made from a seed."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that services run their clients with. Times in seconds.

    The shipped scenarios run at about a tenth of the production values, so that an outage that
    takes minutes there takes seconds here; ratios between the values are kept.
    """

    retries: int = 3
    base_s: float = 0.1
    factor: float = 2.0
    cap_s: float = 1.0
    timeout_s: float = 1.0
    deadline_s: float = 6.0
    breaker_threshold: int = 5
    breaker_cooldown_s: float = 1.5
    gate_cache_s: float = 0.2
    resume_interval_s: float = 0.25


BRISK = Policy()
PRODUCTION = Policy(
    **{setting.name: getattr(CorePolicy(), setting.name) for setting in fields(Policy)}
)
"""The values that the core ships with."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a run may cost. `unprotected_s` counts from healing, or from execution if later;
    `blocked_s` is how long a caller may wait; `amplification` bounds the sends per distinct
    (service, ticket), where a bound is known."""

    unprotected_s: float = 5.0
    blocked_s: float = 12.0
    amplification: float | None = None


@dataclass(frozen=True, slots=True)
class StartUp:
    """In which order actors start, `gap_s` apart. `ready_first` waits for each before the next.

    With `services` in `order` that is where all of them start; actors that are not named start
    first, and those in `withheld` only at healing.
    """

    order: tuple[str, ...] = ("broker", "main-api", "dtms", "services")
    gap_s: float = 0.0
    ready_first: bool = True
    withheld: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the simulated server is started. Foreign servers have settings of their own; `environ`
    is given to any server that the lab starts."""

    rate_limit: bool = False
    monitoring_interval_s: float = 1.0
    lab_faults: tuple[Mapping[str, object], ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)


def no_faults(_random: Random) -> tuple[Scheduled, ...]:
    """Nothing goes wrong."""
    return ()


def always(*faults: Scheduled) -> Plan:
    """The same faults at the same times, whatever the seed."""
    return lambda _random: faults


@dataclass(frozen=True, slots=True)
class Scenario:
    """One situation and the properties that must survive it.

    `faults_last_s` is how long faults may go on, counted from the start of the workload; then all
    is healed. `start_up` may be made from the seed. `episodes` is how often one run repeats it,
    each with a seed of its own.
    """

    name: str
    family: Family
    proves: str
    workload: Workload
    checkers: tuple[str, ...]
    faults: Plan = no_faults
    faults_last_s: float = 0.0
    services: tuple[str, ...] = ("bot",)
    needs: frozenset[Need] = frozenset()
    start_up: Callable[[Random], StartUp] = field(default=lambda _random: StartUp())
    policy: Policy = BRISK
    bounds: Bounds = Bounds()
    server: ServerOptions = ServerOptions()
    demands: Level = "durable"
    episodes: int = 1
    virtual_only: str = ""
    """Why it is played in virtual time only; empty where it is in every world."""
    reference_only: str = ""
    """Why only the reference client can be judged by it; empty where any client can."""

    def header(self) -> Mapping[str, object]:
        """What a checker may know about the scenario, as the history's first line tells it."""
        return MappingProxyType(
            {
                "scenario": self.name,
                "family": str(self.family),
                "checkers": list(self.checkers),
            }
        )
