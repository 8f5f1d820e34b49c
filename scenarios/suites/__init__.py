"""Every scenario there is, by family, in explicit tuples."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.scenario import Family, Scenario
from scenarios.suites.down import DOWN
from scenarios.suites.duplicates import DUPLICATES
from scenarios.suites.errors import ERRORS
from scenarios.suites.one_registration import SWEPT
from scenarios.suites.ownership import OWNERSHIP
from scenarios.suites.races import RACES
from scenarios.suites.recovery import RECOVERY
from scenarios.suites.startup import STARTUP
from scenarios.suites.timeouts import TIMEOUTS

SUITES: dict[Family, tuple[Scenario, ...]] = {
    Family.DOWN: DOWN,
    Family.TIMEOUTS: TIMEOUTS,
    Family.ERRORS: ERRORS,
    Family.RACES: RACES,
    Family.STARTUP: STARTUP,
    Family.DUPLICATES: DUPLICATES,
    Family.RECOVERY: RECOVERY,
    Family.OWNERSHIP: OWNERSHIP,
}

SCENARIOS: dict[str, Scenario] = {s.name: s for suite in SUITES.values() for s in suite}

PLAYABLE: dict[str, Scenario] = {**SCENARIOS, **{s.name: s for s in SWEPT}}
"""Every scenario that a case file may name."""


def select(names: Sequence[str]) -> tuple[Scenario, ...]:
    """The scenarios called so, and those of the families called so; all for no names.

    Raises `KeyError` with a sentence for a name that is neither.
    """
    if not names:
        return tuple(SCENARIOS.values())
    chosen: dict[str, Scenario] = {}
    for name in names:
        if name in SCENARIOS:
            chosen[name] = SCENARIOS[name]
        elif name in set(Family):
            chosen.update((s.name, s) for s in SUITES[Family(name)])
        else:
            families = ", ".join(SUITES)
            raise KeyError(
                f"there is no scenario or suite {name!r}; suites: {families}; "
                "dtms-lab list tells the scenarios"
            )
    return tuple(chosen.values())
