"""Puts a specimen's server through the contract, on real processes."""

from __future__ import annotations

from scenarios.contract.bench import Bench
from scenarios.contract.catalogue import CHECKS
from scenarios.contract.check import Check
from scenarios.contract.run import Result, prove_all
from scenarios.targets.spec import server_target
from scenarios.zoo.catalogue import SERVERS
from scenarios.zoo.specimen import Specimen

BYSTANDERS = frozenset({"enable-new", "enable-again", "enable-conflict", "lookup-known", "health"})
"""Cheap checks that are made of every bug, whoever may claim it."""


def results(specimen: Specimen, seed: int) -> list[Result]:
    """What came of each check that was made. Raises `NeverUp`."""
    with Bench(server_target(specimen.server), seed) as bench:
        return list(prove_all(bench, checks_of(specimen), "full", frozenset()))


def checks_of(specimen: Specimen) -> tuple[Check, ...]:
    """Of a bug, those that may claim it and bystanders; of a correct server every MUST, and what
    may claim any bug."""
    if specimen.bug:
        return tuple(c for c in CHECKS if c.name in specimen.claims | BYSTANDERS)
    claims = {name for s in SERVERS if s.world == "contract" for name in s.claims}
    return tuple(check for check in CHECKS if check.level == "MUST" or check.name in claims)
