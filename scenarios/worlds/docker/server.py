"""One server in a container: made when it starts, gone when it has ended, like a process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from chaos.docker.container import Container, State
from chaos.docker.engine import EngineFailed
from scenarios.worlds.docker.session import Session
from scenarios.worlds.housing import Actor, Launch
from scenarios.worlds.process import STOP_S_MAX, TAIL_BYTES
from scenarios.worlds.world import ActorGone, EnvironmentFailed

DYING_S_MAX = 2.0
"""How long it may take until an end is noticed."""
OUT_OF_MEMORY = "the kernel killed it: out of memory"


class ServerContainer:
    """`making` is what the engine is told. Its end is noticed however it comes; what it wrote is in
    its log then, and what it left is gone."""

    def __init__(
        self,
        session: Session,
        launch: Launch,
        making: Mapping[str, Any],
        on_exit: Callable[[Actor], None],
    ) -> None:
        self.actor = launch.name
        self.rubbish = 0
        self.rubbish_words = ""
        self.ended_by_lab = False
        self.container: Container | None = None
        self._session = session
        self._log = launch.log
        self._making = making
        self._on_exit = on_exit
        self._watching: asyncio.Task[None] | None = None
        self._paused = False
        self._end: State | None = None

    async def start(self) -> None:
        """Raises `EnvironmentFailed` when it cannot be started."""
        engine = self._session.engine
        try:
            made = await engine.call(
                lambda c: c.api.create_container_from_config(self._making, None)
            )
            self.container = Container(engine, made["Id"])
            await self.container.start()
        except EngineFailed as error:
            if self.container is not None:
                await self._forget(self.container)
                self.container = None
            raise EnvironmentFailed(f"{self.actor} cannot be started: {error}") from error
        self._watching = asyncio.create_task(self._watch(self.container))

    @property
    def running(self) -> bool:
        return self._watching is not None and self._end is None

    @property
    def paused(self) -> bool:
        return self._paused

    @property
    def pid(self) -> int | None:
        """Not known here: its processes have a numbering of their own."""
        return None

    @property
    def exit_status(self) -> int | None:
        return None if self._end is None else self._end.exit_status

    @property
    def why_ended(self) -> str:
        return OUT_OF_MEMORY if self._end is not None and self._end.out_of_memory else ""

    async def ask(self, _request: Mapping[str, object], _timeout_s: float) -> dict[str, object]:
        """Servers are asked over HTTP only."""
        raise ActorGone(f"{self.actor} reads no requests from its input")

    async def ends(self, within_s: float) -> bool:
        if self._watching is None:
            return True
        done, _pending = await asyncio.wait([self._watching], timeout=within_s)
        return bool(done)

    async def kill(self) -> None:
        self.ended_by_lab = True
        if self.running:
            await self._do(lambda container: container.kill())
        await self._gone()

    async def stop(self) -> bool:
        self.ended_by_lab = True
        await self.resume()
        if self.running:
            await self._do(lambda container: container.stop(round(STOP_S_MAX)))
        await self._gone()
        return self.exit_status is None or self.exit_status >= 0

    async def pause(self) -> None:
        if self.running:
            await self._do(lambda container: container.pause())
            self._paused = True

    async def resume(self) -> None:
        if self._paused:
            if self.running:
                await self._do(lambda container: container.resume())
            self._paused = False

    def last_words(self) -> str:
        try:
            return self._log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()
        except OSError:
            return ""

    async def _do(self, work: Callable[[Container], Any]) -> None:
        assert self.container is not None
        try:
            await work(self.container)
        except EngineFailed as error:
            # It may have ended meanwhile, and then it is gone from the engine's books.
            if not await self.ends(DYING_S_MAX):
                raise EnvironmentFailed(f"{self.actor}: {error}") from error

    async def _gone(self) -> None:
        if self._watching is not None:
            # Not awaited itself: who waits no longer must not end the watching.
            await asyncio.wait([self._watching])

    async def _watch(self, container: Container) -> None:
        try:
            end = await container.until_over()
            with self._log.open("ab") as log:
                log.write(await container.output())
        except EngineFailed:
            end = LOST
        self._end = end
        self._on_exit(self)
        await self._forget(container)

    async def _forget(self, container: Container) -> None:
        try:
            await container.remove()
        except EngineFailed:
            return  # The session removes what is left of it.


LOST = State(running=False, paused=False, exit_status=None, out_of_memory=False, pid=0, restarts=0)
"""Of one whose engine does not answer any more."""
