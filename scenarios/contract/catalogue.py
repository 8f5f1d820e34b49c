"""Every check, in the order in which they are made: what harms no server first."""

from __future__ import annotations

from scenarios.contract import (
    broker_at_start,
    concurrency,
    durability,
    enable,
    failed_start,
    failing_store,
    health,
    keys,
    limits,
    lookups,
    monitoring,
    optional,
    properties,
    recovery,
    refusals,
    schema_fuzz,
    startup,
)
from scenarios.contract.check import Check

CHECKS: tuple[Check, ...] = (
    *enable.CHECKS,
    *lookups.CHECKS,
    *health.CHECKS,
    *refusals.CHECKS,
    *concurrency.CHECKS,
    *properties.CHECKS,
    *optional.CHECKS,
    *schema_fuzz.CHECKS,
    *durability.CHECKS,
    *failing_store.CHECKS,
    *startup.CHECKS,
    *broker_at_start.CHECKS,
    *recovery.CHECKS,
    *failed_start.CHECKS,
    *monitoring.CHECKS,
    *limits.CHECKS,
    *keys.CHECKS,
)
PROFILES = {"full": frozenset(), "core": frozenset({"optional"})}
"""What each leaves out."""


def named(names: list[str]) -> tuple[Check, ...]:
    """Those called so, or all. Raises `KeyError` with a sentence."""
    known = {check.name: check for check in CHECKS}
    for name in names:
        if name not in known:
            raise KeyError(f"there is no check {name!r}; dtms-lab contract --list names them")
    return tuple(known[name] for name in names) or CHECKS
