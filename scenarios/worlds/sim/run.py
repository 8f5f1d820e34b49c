"""One run of one actor: its process, and what may be asked of it while it lives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scenarios.worlds.sim.service import SimService
from simulator.deterministic.process import Life, Process
from simulator.engine import Engine
from simulator.lab import Lab

if TYPE_CHECKING:
    from scenarios.worlds.sim.script import Script


@dataclass(slots=True)
class Run:
    """Filled in while the actor starts. `stop` ends it in good order, inside its process."""

    actor: str
    process: Process
    service: SimService | None = None
    engine: Engine | None = None
    lab: Lab | None = None
    listening: bool = False
    exit_status: int | None = None
    stop: Callable[[], Awaitable[None]] | None = None
    when_ready: list[Script] = field(default_factory=list)

    @property
    def running(self) -> bool:
        return self.process.life is not Life.DEAD

    @property
    def ready(self) -> bool:
        """It can do its work."""
        if self.service is not None:
            return self.service.booted.done()
        if self.engine is not None:
            return self.engine.ready
        return self.listening
