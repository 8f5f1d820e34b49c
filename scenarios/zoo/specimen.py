"""A specimen of the zoo: targets with one planted bug, or with none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from scenarios.trial import WorldName
from scenarios.worlds.sim.parts import REFERENCE, Parts

Side = Literal["client", "server"]
World = WorldName | Literal["contract"]
"""Where it is looked for; `contract` has no episodes, but checks of a server alone."""

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Specimen:
    """`bug` in words, empty for a correct one. `claims` are the checkers that may claim it, or the
    checks of the contract: those whose sentence it breaks. `where` narrows what it is put through,
    for bugs that only real processes show; empty for whatever its targets can be put through."""

    name: str
    side: Side
    bug: str
    claims: frozenset[str]
    client: str = "reference"
    server: str = "simulated"
    parts: str = REFERENCE.name
    world: World = "sim"
    where: tuple[str, ...] = ()


def client(module: str, function: str, bug: str, *claims: str) -> Specimen:
    """A client function of `clients/`, named as it is."""
    location = f"{HERE / 'clients' / module}.py:{function}"
    return Specimen(_kebab(function), "client", bug, frozenset(claims), client=location)


def server(module: str, factory: str, bug: str, *claims: str) -> Specimen:
    """A server's factory of `servers/`, named as it is."""
    location = f"{HERE / 'servers' / module}.py:{factory}"
    return Specimen(_kebab(factory), "server", bug, frozenset(claims), server=location)


def by_contract(module: str, factory: str, bug: str, *checks: str) -> Specimen:
    """A server's factory of `servers/` that is put through the contract; `checks` may claim it."""
    return replace(server(module, factory, bug, *checks), world="contract")


def part(side: Side, parts: Parts, bug: str, *claims: str) -> Specimen:
    """The reference with one part exchanged, named as that is."""
    name = _kebab(parts.name.rpartition(":")[2].lower())
    return Specimen(name, side, bug, frozenset(claims), parts=parts.name)


def _kebab(name: str) -> str:
    return name.replace("_", "-")
