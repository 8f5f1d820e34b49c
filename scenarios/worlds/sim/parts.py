"""What the simulated actors are made of; a planted bug is the same with one part exchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.production import Core
from scenarios.worlds.sim.outbox import DiskOutbox
from scenarios.worlds.sim.service import SimService
from simulator.deterministic.store import DiskStore
from simulator.engine import Engine
from simulator.messages import Messages


@dataclass(frozen=True, slots=True)
class Parts:
    """Each is called as the class of that name is. `name` is `reference`, or `module:NAME` of the
    parts themselves, so that a case can find them again."""

    name: str = "reference"
    core: Callable[..., Core] = Core
    outbox: Callable[..., Any] = DiskOutbox
    service: Callable[..., SimService] = SimService
    engine: Callable[..., Engine] = Engine
    store: Callable[..., Any] = DiskStore
    messages: Callable[..., Messages] = Messages


REFERENCE = Parts()
