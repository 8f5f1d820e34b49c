"""Family `ownership`: who manages a trade; never both, never nobody."""

from __future__ import annotations

from chaos.faults import Kill, ManagerFault
from chaos.schedule import during
from scenarios.scenario import Family, Need, Plan, Scenario, always, no_faults
from scenarios.workload import steady

TWO = ("bot", "desktop")
NEEDS: frozenset[Need] = frozenset({"broker", "main-api"})
OWNED = (
    "acknowledged_is_kept",
    "registered_at_most_once",
    "answers_have_an_order",
    "failure_is_honest",
    "managed_by_exactly_one",
    "caller_is_never_blocked",
    "retry_discipline",
    "nothing_leaks",
)
STRATEGIES = ("breakout_trap", None)


def owned(name: str, proves: str, faults: Plan = no_faults, last_s: float = 1.6) -> Scenario:
    """Half of the trades carry a strategy."""
    return Scenario(
        name=name,
        family=Family.OWNERSHIP,
        proves=proves,
        workload=steady(TWO, trades=12, over_s=1.2, strategies=STRATEGIES),
        faults=faults,
        faults_last_s=last_s,
        services=TWO,
        needs=NEEDS,
        checkers=OWNED,
        reference_only="needs a client that knows the Universal Manager",
    )


OWNERSHIP = (
    owned("strategy-to-manager", "Trades with a strategy go to the Universal Manager, others not."),
    owned(
        "manager-refuses",
        "What the Universal Manager refuses falls back to DTMS.",
        always(during(0.0, 1.4, ManagerFault("refuse"))),
    ),
    owned(
        "manager-fails",
        "Where the Universal Manager fails the trade falls back to DTMS.",
        always(during(0.0, 1.4, ManagerFault("fail"))),
    ),
    owned(
        "manager-fails-after-accepting",
        "An error after the manager took the trade does not make it managed twice.",
        always(during(0.0, 1.4, ManagerFault("fail-after-accept"))),
    ),
    owned(
        "manager-down",
        "With the main API down nobody is left without a manager.",
        always(during(0.3, 1.4, Kill("main-api"))),
    ),
    owned(
        "restart-spares-managed-trades",
        "A restarted server registers what is at the broker, but not what the manager owns.",
        always(during(0.9, 1.3, Kill("dtms"))),
        last_s=2.0,
    ),
)
