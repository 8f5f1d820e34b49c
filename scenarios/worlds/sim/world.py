"""The world `sim`: every actor in one event loop, under virtual time.

Actors keep their names, their disks and their promises; what is real elsewhere is a choice here.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from chaos.capabilities import Undo
from core.events import Level
from core.settings import Policy, Settings
from scenarios.choices import Choices
from scenarios.episode import WORDS_MAX, plain
from scenarios.history import Recorder
from scenarios.scenario import Scenario
from scenarios.targets.notebook import Notebook
from scenarios.targets.spec import ClientTarget, FactoryServer, FunctionClient, ServerTarget
from scenarios.targets.trading import PositionsClient, UniversalManagerClient
from scenarios.worlds.sim.foreign import (
    FunctionService,
    application,
    exit_status,
    why_not_simulated,
)
from scenarios.worlds.sim.fresh_modules import FreshModules
from scenarios.worlds.sim.moment import SimClock
from scenarios.worlds.sim.parts import REFERENCE, Parts
from scenarios.worlds.sim.points import Crossings
from scenarios.worlds.sim.run import Run
from scenarios.worlds.sim.script import Script
from scenarios.worlds.sim.silence import SilentMetrics
from scenarios.worlds.world import ActorGone, EnvironmentFailed
from simulator.broker import Broker
from simulator.deterministic.disk import Disk
from simulator.deterministic.guard import Guard
from simulator.deterministic.loop import SimLoop
from simulator.deterministic.process import DEAD, NEUTRAL, PROCESS, Life, Process
from simulator.engine import Engine
from simulator.lab import Lab
from simulator.log import Log
from simulator.main_api import MainApi, Taken
from simulator.messages import Options

Fidelity = Literal["message", "http", "socket"]
FIDELITIES: tuple[Fidelity, ...] = ("message", "http", "socket")

START_S, START_JITTER_S = 0.02, 0.1
"""How long a program takes to start, and by how much that varies."""
READY_POLL_S = 0.02
STOP_S_MAX = 10.0
KILLED, BUSY, FAILED = -9, 3, 1
"""Exit statuses: as the operating system has them, and as the simulator's processes do."""
METRICS = SilentMetrics()
Live = Callable[[Run], Coroutine[Any, Any, None]]
"""What an actor does once it has started."""


class Wires(Protocol):
    """How requests travel in one fidelity, and how servers are reached."""

    def capabilities(self) -> Mapping[type, object]:
        """`Links` and `Requests`, and who provides them."""
        ...

    async def lay(self, link: str) -> None:
        """Lays a link between a service and a server."""
        ...

    def core_api(self, service: str) -> dict[str, Any]:
        """What a service's core is given to reach DTMS: arguments of `Core`."""
        ...

    def settings(self, service: str, policy: Policy) -> Settings:
        """The core's settings: where the API is."""
        ...

    def ask(self, service: str, target: str) -> Any:
        """How a service asks another server than DTMS."""
        ...

    def broker_of_dtms(self) -> Any:
        """The broker, as DTMS reaches it."""
        ...

    def registry_of_dtms(self) -> Any:
        """The registry, as DTMS reaches it."""
        ...

    def dtms_of_main_api(self) -> Any:
        """DTMS, as the registry reaches it."""
        ...

    async def open_port(self, run: Run) -> bool:
        """Takes the actor's port; False where somebody has it."""
        ...

    async def serve_dtms(self, run: Run, messages: Any, engine: Engine) -> None:
        """From now on requests reach the server."""
        ...

    async def serve_plain(self, run: Run, answer: Any) -> None:
        """From now on requests reach the broker or the main API."""
        ...

    def url(self, asker: str, target: str) -> str:
        """Where whoever asks reaches a server. Raises `EnvironmentFailed` where nothing is HTTP."""
        ...

    async def serve_app(self, run: Run, app: Any) -> None:
        """Serves an ASGI application of anybody's. Raises `SystemExit` where it does not start,
        `EnvironmentFailed` where nothing is HTTP."""
        ...

    async def http(
        self, actor: str, method: str, path: str, body: bytes | None
    ) -> tuple[int, object] | None:
        """One request straight to the actor."""
        ...

    async def aclose(self) -> None:
        """Nothing is left open."""
        ...


class SimWorld:
    """One for each episode, inside the loop that plays it."""

    name = "sim"

    def __init__(
        self,
        scenario: Scenario,
        *,
        loop: SimLoop,
        fidelity: Fidelity,
        choices: Choices,
        recorder: Recorder,
        parts: Parts = REFERENCE,
        client: ClientTarget,
        server: ServerTarget,
    ) -> None:
        self.fidelity: str = fidelity
        self.client = client
        self.server = server
        self.scenario = scenario
        self.loop = loop
        self.choices = choices
        self.recorder = recorder
        self.parts = parts
        self.clock = SimClock(loop)
        loop.on_exit = self._left
        self.crossings = Crossings(self.now_us)
        self.guard = Guard()
        self.modules = FreshModules(self.guard)
        self._folder: Path | None = None
        self.runs: dict[str, Run] = {}
        self.disks: dict[str, Disk] = {}
        self.wires = _wires(fidelity)(self)
        self.owners = DurableOwners()
        self.broker = Broker()
        self._epochs: dict[str, int] = {}
        self._next_scripts = [Script(fault) for fault in scenario.server.lab_faults]
        self._later: dict[asyncio.Task[None], None] = {}
        self._closing = False

    async def open(self) -> None:
        """Lays every link; nobody runs yet. Raises `EnvironmentFailed` for targets that cannot
        run here."""
        why = why_not_simulated(self.client, self.server, self.fidelity)
        if why:
            raise EnvironmentFailed(why)
        for service in self.scenario.services:
            await self.wires.lay(f"{service}->dtms")
            if "main-api" in self.scenario.needs:
                await self.wires.lay(f"{service}->main-api")

    def capabilities(self) -> Mapping[type, object]:
        from scenarios.worlds.sim.capabilities import offered

        return {**self.wires.capabilities(), **offered(self)}

    def now_us(self) -> int:
        return int(self.loop.time() * 1e6)

    def running(self, actor: str) -> bool:
        run = self.runs.get(actor)
        return run is not None and run.running

    def ended_by_itself(self, actor: str) -> bool:
        run = self.runs.get(actor)
        return run is not None and not run.running and run.ended_by_itself

    async def start(self, actor: str) -> None:
        if self.running(actor):
            self._wake(actor)
            return
        self.runs[actor] = self._launch(actor, actor)

    async def until_ready(self, actor: str, timeout_s: float) -> bool:
        deadline = self.loop.time() + timeout_s
        while self.loop.time() < deadline:
            run = self.runs.get(actor)
            if run is not None and run.ready:
                return True
            if run is None or not run.running:
                words = "" if run is None else run.last_words
                raise EnvironmentFailed(f"{actor} ended before it was ready. {words}".strip())
            await asyncio.sleep(READY_POLL_S)
        return False

    async def ask(self, service: str, request: Mapping[str, object], timeout_s: float) -> object:
        run = self.runs.get(service)
        if run is None or not run.running:
            raise ActorGone(f"{service} is not running")
        answered: asyncio.Future[object] = self.loop.create_future()

        def gone() -> None:
            if not answered.done():
                answered.set_exception(ActorGone(f"{service} exited with status {run.exit_status}"))

        async def answer() -> None:
            while run.service is None:  # noqa: ASYNC110 - a start-up has no event
                await asyncio.sleep(READY_POLL_S)
            told = await run.service.answer(request)
            revoke()
            if not answered.done():
                answered.set_result(told)

        def late() -> None:
            if not answered.done():
                answered.set_exception(TimeoutError())

        revoke = run.process.at_death(gone)
        self.loop.spawn(run.process, answer())
        timer = self.loop.call_later(timeout_s, late)
        try:
            return await answered
        finally:
            timer.cancel()
            revoke()

    async def http(
        self, actor: str, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, object] | None:
        return await self.wires.http(actor, method, path, body)

    # What faults do.

    def kill(self, actor: str) -> None:
        """kill -9. Nothing happens to an actor that is not running."""
        if self.running(actor):
            self.recorder.note("world", "kill", {"actor": actor})
            self._exit(self.runs[actor], KILLED)

    def lose_power(self, actor: str) -> None:
        """Its machine goes off: it dies, and what it had not synced is gone."""
        if self.running(actor):
            self.recorder.note("world", "kill", {"actor": actor, "power": "lost"})
            self._exit(self.runs[actor], KILLED)
            self.disk(actor).lose_power()

    async def stop(self, actor: str) -> None:
        """SIGTERM, and waits; killed where it takes too long."""
        if not self.running(actor):
            return
        run = self.runs[actor]
        self._wake(actor)
        self.recorder.note("world", "stop", {"actor": actor})
        ended: asyncio.Future[None] = self.loop.create_future()

        def gone() -> None:
            if not ended.done():
                ended.set_result(None)

        revoke = run.process.at_death(gone)

        async def end() -> None:
            if run.stop is not None:
                await run.stop()
            self._exit(run, 0)

        self.loop.spawn(run.process, end())
        await asyncio.wait([ended], timeout=STOP_S_MAX)
        revoke()
        self._exit(run, KILLED)

    def pause(self, actor: str) -> None:
        """SIGSTOP."""
        if self.running(actor):
            self.recorder.note("world", "pause", {"actor": actor})
            self.loop.pause(self.runs[actor].process)

    def resume(self, actor: str) -> None:
        """SIGCONT."""
        if self.running(actor):
            self.loop.resume(self.runs[actor].process)
            self.recorder.note("world", "resume", {"actor": actor})

    def _wake(self, actor: str) -> None:
        if self.runs[actor].process.life is Life.PAUSED:
            self.resume(actor)

    def start_second(self, actor: str) -> Run:
        """A further process of the actor, on the same port and disk, called `<actor>-second`."""
        run = self.runs[f"{actor}-second"] = self._launch(f"{actor}-second", actor)
        return run

    def script(self, actor: str, script: Script) -> None:
        """Inflicts a fault inside the server; on one that is down, from its next start on."""
        run = self.runs.get(actor)
        if run is None or not run.running or run.lab is None:
            self._next_scripts.append(script)
        else:
            script.inflict(run)

    def disk(self, actor: str) -> Disk:
        """The actor's disk, which outlives its processes."""
        disk = self.disks.get(actor)
        if disk is None:
            disk = self.disks[actor] = Disk(
                actor, draw=self.choices, reached=self.crossings.of(actor), alive=_alive
            )
        return disk

    def data_folder(self, actor: str) -> Path:
        """A real folder, for a foreign actor's files; they go with the episode."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="dtms-lab-sim-")).resolve()
        folder = self._folder / f"{actor}-data"
        folder.mkdir(exist_ok=True)
        return folder

    async def let_end(self, _actor: str) -> None:
        """Who is killed has ended at once."""

    def later(self, delay_s: float, do: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Does something on the lab's behalf, whoever runs now."""

        async def wait() -> None:
            await asyncio.sleep(delay_s)
            await do()

        task = self.loop.create_task(wait(), context=NEUTRAL.copy())
        self._later[task] = None
        task.add_done_callback(self._later.pop)

    async def aclose(self) -> None:
        self._closing = True
        for task in tuple(self._later):
            task.cancel()
        for run in self.runs.values():
            run.process.die()
        await self.wires.aclose()
        if self._folder is not None:
            shutil.rmtree(self._folder)

    # Actors.

    def _launch(self, name: str, actor: str) -> Run:
        epoch = self._epochs[name] = self._epochs.get(name, -1) + 1
        process = Process(name, epoch)
        run = Run(name, process)
        self.recorder.note("world", "start", {"actor": name})
        live: Live
        match actor:
            case "dtms" if isinstance(self.server, FactoryServer):
                folder = self.data_folder(actor)
                live = partial(self._foreign_server, server=self.server, folder=folder)
            case "dtms":
                live = self._dtms
            case "broker":
                live = partial(self._plain, answer=self.broker.request)
            case "main-api":
                main_api = MainApi(self.owners, self.wires.dtms_of_main_api())
                live = partial(self._plain, answer=main_api.request)
            case _ if isinstance(self.client, FunctionClient):
                live = partial(self._foreign_service, client=self.client)
            case _:
                live = self._service
        self.loop.spawn(process, self._boot(run, live))
        return run

    async def _boot(self, run: Run, live: Live) -> None:
        name = f"start {run.actor} {run.process.epoch}"
        await asyncio.sleep(START_S + START_JITTER_S * self.choices(name))
        await live(run)

    async def _dtms(self, run: Run) -> None:
        """In the order of `python -m simulator`: the port first, then everything else."""
        if not await self.wires.open_port(run):
            self._exit(run, BUSY)
            run.process.stop_if_dead()
        scenario, process = self.scenario, run.process
        draw = self.choices.numbered(f"dtms {process.epoch}")
        die = lambda: self._exit(run, KILLED)  # noqa: E731
        with_broker = "broker" in scenario.needs
        engine = self.parts.engine(
            self.parts.store(self.disk("dtms"), self.clock.now, die=die),
            broker=self.wires.broker_of_dtms() if with_broker else None,
            registry=self.wires.registry_of_dtms() if "main-api" in scenario.needs else None,
            now=self.clock.now,
            monotonic=self.clock.monotonic,
            draw=draw,
            log=ReadyLog(self, run),
            monitoring_interval_s=scenario.server.monitoring_interval_s,
            on_failed=lambda: self._exit(run, FAILED),
            die=die,
        )
        run.engine, run.lab, run.stop = engine, Lab(engine, "sim"), engine.aclose
        scripts, self._next_scripts = self._next_scripts, []
        for script in scripts:
            script.inflict(run)
        options = Options(rate_limit=scenario.server.rate_limit, metrics=False)
        messages = self.parts.messages(engine, options, monotonic=self.clock.monotonic)
        await self.wires.serve_dtms(run, messages, engine)
        run.listening = True
        engine.start()

    async def _plain(self, run: Run, answer: Any) -> None:
        if not await self.wires.open_port(run):
            self._exit(run, BUSY)
            run.process.stop_if_dead()
        await self.wires.serve_plain(run, answer)
        run.listening = True
        self.note_ready(run)

    async def _service(self, run: Run) -> None:
        scenario, name = self.scenario, run.actor
        policy = Policy.from_mapping(plain(scenario.policy))
        epoch = run.process.epoch
        notebook = Notebook()
        needs = scenario.needs
        asked = self.wires.ask(name, "main-api") if "main-api" in needs else None
        universal = None if asked is None else UniversalManagerClient(asked)
        core = self.parts.core(
            self.wires.settings(name, policy),
            outbox=lambda alerts: self.parts.outbox(self.disk(name), alerts),
            service=name,
            universal_manager=universal,
            alert_sinks=(notebook,),
            event_stream=notebook.take,
            log_level=Level.WARNING,
            metrics=METRICS,
            clock=self.clock,
            draw=_unhurried(self.choices.numbered(f"{name} {epoch}")),
            new_id=_ids(f"{name}-{epoch}"),
            **self.wires.core_api(name),
        )
        positions = PositionsClient(self.wires.ask(name, "broker")) if "broker" in needs else None
        run.service = self.parts.service(run.process, core, notebook, positions, universal)
        run.stop = run.service.stop
        await run.service.boot()

    async def _foreign_service(self, run: Run, client: FunctionClient) -> None:
        try:
            function = self.modules.load(client.location, run.process.name)
            run.service = FunctionService(
                function,
                self.wires.url(run.actor, "dtms"),
                lambda ended: self._fail(run, ended, exit_status(ended)),
            )
        except SystemExit as ended:
            self._fail(run, ended, exit_status(ended))
        except Exception as error:  # noqa: BLE001 - whatever a foreign module raises when it loads
            self._fail(run, error, FAILED)

    async def _foreign_server(self, run: Run, server: FactoryServer, folder: Path) -> None:
        self.guard.allow(run.actor, folder)
        needs = self.scenario.needs
        broker_url = self.wires.url("dtms", "broker") if "broker" in needs else ""
        registry_url = self.wires.url("dtms", "main-api") if "main-api" in needs else ""
        try:
            factory = self.modules.load(server.location, run.process.name)
            app = application(factory, folder, broker_url, registry_url)
            await self.wires.serve_app(run, app)
        except SystemExit as ended:
            self._fail(run, ended, exit_status(ended))
        except Exception as error:  # noqa: BLE001 - whatever a foreign module raises when it loads
            self._fail(run, error, FAILED)
        self.later(0.0, lambda: self._until_healthy(run))

    async def _until_healthy(self, run: Run) -> None:
        """A foreign server is ready when it says so."""
        while run.running and not run.listening:
            answer = await self.wires.http("dtms", "GET", "/dtms/health", None)
            if answer is not None and answer[0] == 200:
                run.listening = True
                self.note_ready(run)
            await asyncio.sleep(READY_POLL_S)

    def _fail(self, run: Run, error: BaseException, status: int) -> None:
        """The process ends by itself, with these last words."""
        run.last_words = f"{type(error).__name__}: {error}"
        run.ended_by_itself = True
        self._exit(run, status)
        run.process.stop_if_dead()

    def _left(self, process: Process, ended: SystemExit) -> None:
        """Code of the process asked, somewhere, to end it."""
        run = next((run for run in self.runs.values() if run.process is process), None)
        if run is not None and run.running:
            run.last_words, run.ended_by_itself = f"SystemExit: {ended}", True
            self._exit(run, exit_status(ended))

    def _exit(self, run: Run, status: int) -> None:
        """The process is gone, by whatever hand."""
        if not run.running:
            return
        run.exit_status = status
        run.process.die()
        if not self._closing:
            value: dict[str, object] = {"actor": run.actor, "exit_status": status}
            if run.ended_by_itself:
                value["words"] = run.last_words[-WORDS_MAX:]
            self.recorder.note("world", "exited", value)

    def note_ready(self, run: Run) -> None:
        """A server can do its work."""
        if not run.running or self._closing:
            return
        self.recorder.note("world", "ready", {"actor": run.actor})
        for script in run.when_ready:
            script.inflict(run)
        run.when_ready.clear()


class ReadyLog(Log):
    """A server's log, of which only one line is of interest here."""

    def __init__(self, world: SimWorld, run: Run) -> None:
        self._world = world
        self._run = run

    def _emit(self, level: str, event: str, fields: dict[str, object]) -> None:  # noqa: ARG002
        if event == "ready":
            self._world.note_ready(self._run)


class DurableOwners:
    """What the Universal Manager manages; outlives the main API's processes."""

    def __init__(self) -> None:
        self.tickets: set[int] = set()

    async def take(self, trade: Taken) -> None:
        self.tickets.add(trade.ticket)


def _alive() -> bool:
    process = PROCESS.get()
    return process is None or process.life is not DEAD


def _unhurried(draw: Callable[[], float]) -> Callable[[], float]:
    """Draws of back-off, for which benign is to wait as long as one may."""
    return lambda: 1.0 - draw()


def _ids(prefix: str) -> Callable[[], str]:
    count = 0

    def new_id() -> str:
        nonlocal count
        count += 1
        return f"{prefix}-{count}"

    return new_id


def _wires(fidelity: Fidelity) -> Callable[[SimWorld], Wires]:
    from scenarios.worlds.sim.message_wires import HttpWires, MessageWires

    match fidelity:
        case "message":
            return MessageWires
        case "http":
            return HttpWires
        case "socket":
            from scenarios.worlds.sim.socket_wires import SocketWires

            return SocketWires


__all__ = ["FIDELITIES", "Fidelity", "SimWorld", "Undo", "Wires"]
