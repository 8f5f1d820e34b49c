"""One run of one actor: its process, and what may be asked of it while it lives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from simulator.deterministic.process import Life, Process
from simulator.engine import Engine
from simulator.lab import Lab

if TYPE_CHECKING:
    from scenarios.worlds.sim.script import Script


class Service(Protocol):
    """A trading service, as the driver asks it. Requests may come before it has `booted`."""

    booted: asyncio.Future[None]

    async def answer(self, request: Mapping[str, object]) -> dict[str, object]:
        """The answer to one request of the protocol."""
        ...


@dataclass(slots=True)
class Run:
    """Filled in while the actor starts. `stop` ends it in good order, inside its process;
    `last_words` say why it ended by itself."""

    actor: str
    process: Process
    service: Service | None = None
    engine: Engine | None = None
    lab: Lab | None = None
    listening: bool = False
    exit_status: int | None = None
    last_words: str = ""
    ended_by_itself: bool = False
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
