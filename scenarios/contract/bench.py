"""Where checks are made: the server under test, and servers of their own for checks that kill.

Checks are plain functions, since Hypothesis and Schemathesis are; the worlds and all traffic live
on a loop in a thread, which ends with the bench.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import aiohttp

from scenarios.contract.check import Failed, NeverUp, Undecided
from scenarios.contract.exchange import Exchange, exchange
from scenarios.contract.server import READY_S_MAX, Server
from scenarios.history import Recorder
from scenarios.scenario import Family, Need, Scenario, ServerOptions
from scenarios.targets.spec import ReferenceClient, RunningServer, ServerTarget
from scenarios.workload import steady
from scenarios.worlds.local import LocalWorld
from scenarios.worlds.ports import Ports
from scenarios.worlds.world import EnvironmentFailed

T = TypeVar("T")

STEP_S_MAX = 60.0
"""After this whatever the bench waits for is given up."""
REOPENED_MAX = 3
"""How often a shared server that a check has ended is started again."""
FIRST_TICKET, TICKETS = 10**9, 10**17


@dataclass
class Bench:
    """Opens with `with`; on leaving, every process has ended."""

    target: ServerTarget
    seed: int
    exchanges: list[Exchange] = field(default_factory=list)

    def __enter__(self) -> Bench:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="contract", daemon=True)
        self._thread.start()
        self._folder = Path(tempfile.mkdtemp(prefix="dtms-lab-contract-"))
        self._ports = Ports(Random())
        self._worlds: list[LocalWorld] = []
        self._shared: Server | None = None
        self._opened = 0
        self._seen: dict[str, object] = {}
        first = FIRST_TICKET + Random(self.seed).randrange(TICKETS)
        self._tickets = iter(range(first, first + TICKETS))
        self._session = self._run(self._open_session())
        return self

    def __exit__(self, *_exc: object) -> None:
        try:
            for world in self._worlds:
                self._run(world.aclose())
            self._run(self._session.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STEP_S_MAX)
            if not self._thread.is_alive():
                self._loop.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def starts_it(self) -> bool:
        """Whether the lab starts, and may kill, the server."""
        return not isinstance(self.target, RunningServer)

    def ticket(self) -> int:
        """One that no check has used."""
        return next(self._tickets)

    def shared(self) -> Server:
        """The server that all checks share which do it no harm. Raises `NeverUp`, or `Undecided`
        where it was up once and is no more."""
        if self._shared is None:
            self._shared = self._open_shared()
        elif self._shared.get("/dtms/health", noted=False).status is None:
            if not self.starts_it or self._opened > REOPENED_MAX:
                raise Undecided("the server answers no more. " + self._shared.last_words())
            self._close(self._shared)
            try:
                self._shared = self._open_shared()
            except NeverUp as error:
                raise Undecided(str(error)) from error
        return self._shared

    def words(self) -> str:
        """What the shared server wrote to standard error last, and whether it has ended."""
        return self._shared.last_words() if self._shared is not None else ""

    @contextmanager
    def own(
        self,
        *,
        broker: bool = False,
        registry: bool = False,
        options: ServerOptions | None = None,
        start: bool = True,
    ) -> Iterator[Server]:
        """A server for one check, with a store of its own; ready, unless `start` is false."""
        wanted: dict[Need, bool] = {"broker": broker, "main-api": registry}
        beside = [actor for actor, is_wanted in wanted.items() if is_wanted]
        server = self._server(frozenset(beside), options)
        try:
            try:
                for actor in beside:
                    server.start(actor)
                if start:
                    server.start()
                    server.must_be_ready()
            except EnvironmentFailed as error:
                raise Failed(f"a server of the check's own did not come up: {error}") from error
            yield server
        finally:
            self._close(server)

    def seen(self, name: str, observe: Callable[[Bench], T]) -> T:
        """What `observe` saw, which is done once for all checks that ask for it by this name; its
        exception too."""
        if name not in self._seen:
            try:
                self._seen[name] = observe(self)
            except (Failed, Undecided) as error:
                self._seen[name] = error
        told = self._seen[name]
        if isinstance(told, Exception):
            raise told
        return told  # type: ignore[return-value]

    def _open_shared(self) -> Server:
        self._opened += 1
        server = self._server(frozenset(), None)
        try:
            if self.starts_it:
                server.start()
            server.must_be_ready()
        except Failed as error:
            raise NeverUp(f"{self.target.name} never came up: {error.why}") from error
        except EnvironmentFailed as error:
            raise NeverUp(f"{self.target.name} never came up: {error}") from error
        return server

    def _server(self, beside: frozenset[Need], options: ServerOptions | None) -> Server:
        world = self._run(self._open_world(beside, options or UNLIMITED))
        self._worlds.append(world)
        return Server(world, self._run, self._exchange, self.exchanges, self.target)

    def _close(self, server: Server) -> None:
        self._run(server.world.aclose())
        self._worlds.remove(server.world)

    async def _open_world(self, beside: frozenset[Need], options: ServerOptions) -> LocalWorld:
        scenario = Scenario(
            name="contract",
            family=Family.ERRORS,
            proves="",
            workload=steady(("bot",), trades=1, over_s=1.0),
            checkers=(),
            services=(),
            needs=beside,
            server=options,
        )
        world = LocalWorld(
            scenario,
            self.seed,
            client=ReferenceClient(),
            server=self.target,
            folder=Path(tempfile.mkdtemp(dir=self._folder)),
            ports=self._ports,
            recorder=Recorder(None),
        )
        return await world.__aenter__()

    async def _open_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=200))

    def _exchange(
        self,
        base: str,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        chunked: bool,
    ) -> Coroutine[Any, Any, Exchange]:
        return exchange(self._session, base, method, path, body, headers, chunked=chunked)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(max(STEP_S_MAX, 2 * READY_S_MAX))
        except BaseException:
            future.cancel()
            raise


UNLIMITED = ServerOptions(
    rate_limit=False, monitoring_interval_s=30.0, environ={"DTMS_RATE_LIMIT_ENABLED": "false"}
)
