"""The world `local`: every actor a real process on loopback, the fault proxy between them.

With another housing for its servers it is the world `docker`.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Mapping
from dataclasses import asdict
from pathlib import Path

import aiohttp
import msgspec

from chaos.capabilities import (
    Broker,
    Disks,
    Instances,
    Links,
    Managers,
    Processes,
    Requests,
    Server,
    Undo,
)
from chaos.proxy import FaultProxy
from chaos.undo import once
from scenarios.episode import WORDS_MAX
from scenarios.history import Recorder
from scenarios.import_path import lab_environ, target_environ
from scenarios.scenario import Need, Scenario
from scenarios.targets import asgi_server, shim
from scenarios.targets.spec import (
    ClientTarget,
    CommandClient,
    CommandServer,
    FactoryServer,
    FunctionClient,
    ReferenceClient,
    RunningServer,
    ServerTarget,
    SimulatedServer,
)
from scenarios.worlds.control_planes import BrokerControl, ManagersControl
from scenarios.worlds.housing import Actor, Housing, Launch, ThisMachine
from scenarios.worlds.local_capabilities import (
    LocalDisks,
    LocalInstances,
    LocalProcesses,
    LocalServer,
)
from scenarios.worlds.ports import Ports
from scenarios.worlds.process import STOP_S_MAX, ActorProcess
from scenarios.worlds.wire import WireTap
from scenarios.worlds.world import ActorGone, EnvironmentFailed

READY_POLL_S = 0.03
HTTP_S_MAX = 3.0
SECOND_S_MAX = 10.0
ENDING_S_MAX = 2 * STOP_S_MAX


class LocalWorld:
    """Opens with `async with`; on leaving, every process has ended and every port is free."""

    fidelity = "socket"

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        *,
        client: ClientTarget,
        server: ServerTarget,
        folder: Path,
        ports: Ports,
        recorder: Recorder,
        python: str = sys.executable,
        housing: Housing | None = None,
    ) -> None:
        self._housing = housing or ThisMachine()
        self.name = self._housing.name
        self._scenario = scenario
        self._client = client
        self._server = server
        self._folder = folder
        self._ports = ports
        self._recorder = recorder
        self._python = python
        self._token = secrets.token_hex(16)
        self._began_ns = time.monotonic_ns()
        self._processes: dict[str, Actor] = {}
        self._port_of: dict[str, int] = {}
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._watching: set[asyncio.Task[None]] = set()
        self._next_faults: list[Mapping[str, object]] = [*scenario.server.lab_faults]
        self._proxy = FaultProxy(seed=seed, tap=WireTap(recorder))
        self._http: aiohttp.ClientSession | None = None
        self._closing = False

    async def __aenter__(self) -> LocalWorld:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=HTTP_S_MAX),
            connector=aiohttp.TCPConnector(force_close=True),
        )
        try:
            await self._housing.open()
            await self._lay_links()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    def now_us(self) -> int:
        return (time.monotonic_ns() - self._began_ns) // 1000

    def capabilities(self) -> Mapping[type, object]:
        offered: dict[type, object] = {Links: self._proxy, Requests: self._proxy}
        offered |= self._housing.capabilities(self.process)
        if self._server.restartable:
            offered[Processes] = LocalProcesses(self)
            offered[Disks] = LocalDisks(self)
            offered[Instances] = LocalInstances(self)
        if self._server.has_lab:
            offered[Server] = LocalServer(self)
        if self._server.takes_broker and "broker" in self._scenario.needs:
            offered[Broker] = BrokerControl(self)
        if "main-api" in self._scenario.needs:
            offered[Managers] = ManagersControl(self)
        return offered

    async def lay_link(self, service: str) -> None:
        """A link of its own to the server for one more service, which somebody else runs."""
        await self._proxy.link(f"{service}->dtms", "127.0.0.1", self._port("dtms"))

    def link_url(self, link: str) -> str:
        """Where the link's clients send their requests, through the fault proxy."""
        return f"http://127.0.0.1:{self._proxy.port(link)}"

    def direct_url(self, actor: str) -> str:
        """Where the actor itself listens."""
        return f"http://127.0.0.1:{self._port(actor)}"

    def running(self, actor: str) -> bool:
        if actor == "dtms" and isinstance(self._server, RunningServer):
            return True
        process = self._processes.get(actor)
        return process is not None and process.running

    def ended_by_itself(self, actor: str) -> bool:
        process = self._processes.get(actor)
        return process is not None and not process.running and not process.ended_by_lab

    def exit_status(self, actor: str) -> int | None:
        """None for one that runs or was never started."""
        process = self._processes.get(actor)
        return process.exit_status if process is not None else None

    async def ends(self, actor: str, within_s: float) -> bool:
        """Waits for it to end by itself; whether it did."""
        return await self._processes[actor].ends(within_s)

    def log(self, actor: str) -> Path:
        """Where its standard error is, if it was started."""
        return self._folder / f"{actor}.log"

    def rubbish(self, actor: str) -> str:
        """The first line that it printed and that answers nothing; empty where there is none."""
        process = self._processes.get(actor)
        return process.rubbish_words if process is not None else ""

    def last_words(self, actor: str) -> str:
        """The end of what it wrote to standard error."""
        process = self._processes.get(actor)
        return process.last_words() if process is not None else ""

    async def start(self, actor: str) -> None:
        """Whoever asks meanwhile waits for the same start; who is cancelled does not end it, or
        there would be a process that nobody knows."""
        starting = self._starting.get(actor)
        if starting is None:
            starting = self._starting[actor] = asyncio.create_task(self._start(actor))
            starting.add_done_callback(lambda _done: self._starting.pop(actor, None))
        await asyncio.shield(starting)

    async def _start(self, actor: str) -> None:
        if self.running(actor):
            if actor in self._processes and self._processes[actor].paused:
                await self.resume(actor)
            return
        process = (
            self._service(actor) if actor in self._scenario.services else self._server_as(actor)
        )
        self._processes[actor] = process
        await process.start()
        self._recorder.note("world", "start", {"actor": actor})
        if actor not in self._scenario.services:
            self._watch(self._note_ready(process))

    async def until_ready(self, actor: str, timeout_s: float) -> bool:
        if actor in self._scenario.services:
            return await self._is_listening(actor, timeout_s)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if await self._is_ready(actor):
                return True
            if not self.running(actor):
                words = self._processes[actor].last_words() if actor in self._processes else ""
                raise EnvironmentFailed(f"{actor} ended before it was ready. {words}".strip())
            await asyncio.sleep(READY_POLL_S)
        return False

    async def ask(self, service: str, request: Mapping[str, object], timeout_s: float) -> object:
        told = {**request, "api_url": self.link_url(f"{service}->dtms")}
        return await self._processes[service].ask(told, timeout_s)

    async def http(
        self, actor: str, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, object] | None:
        assert self._http is not None
        headers = {"Content-Type": "application/json", "X-Lab-Token": self._token}
        url = f"{self.direct_url(actor)}{path}"
        try:
            async with self._http.request(method, url, data=body, headers=headers) as answer:
                raw = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        try:
            return answer.status, msgspec.json.decode(raw)
        except msgspec.DecodeError:
            return answer.status, None

    async def kill(self, actor: str) -> None:
        """kill -9. Nothing happens to an actor that is not running."""
        if self.running(actor):
            self._recorder.note("world", "kill", {"actor": actor})
            await self._processes[actor].kill()

    async def stop(self, actor: str) -> None:
        """SIGTERM, and waits."""
        if self.running(actor):
            if self._processes[actor].paused:
                await self.resume(actor)
            self._recorder.note("world", "stop", {"actor": actor})
            await self._processes[actor].stop()

    async def let_end(self, actor: str) -> None:
        """Waits for one that is being killed or stopped: until then it is neither up nor down. At
        most ENDING_S_MAX, and for no other."""
        process = self._processes.get(actor)
        if process is not None and process.ended_by_lab:
            await process.ends(ENDING_S_MAX)

    async def start_second(self, actor: str, data: Path | None = None) -> Undo:
        """A further process of the actor, on the same port and data, called `<actor>-second`; a
        server may be given another folder of data, and is called `<actor>-elsewhere`."""
        second = f"{actor}-second" if data is None else f"{actor}-elsewhere"
        process = self._server_as(second, beside=actor, data=data)
        self._processes[second] = process
        await process.start()
        self._recorder.note("world", "start", {"actor": second})

        async def end() -> None:
            # It is to end by itself, however slowly the machine starts it.
            if not await process.ends(SECOND_S_MAX):
                await self.kill(second)

        return once(end)

    async def pause(self, actor: str) -> None:
        """SIGSTOP. What is noted lies within what is true: a pause, which may take its time to come
        about, is noted when it has, and its end before it is asked for."""
        if self.running(actor):
            await self._processes[actor].pause()
            self._recorder.note("world", "pause", {"actor": actor})

    async def resume(self, actor: str) -> None:
        """SIGCONT."""
        if self.running(actor):
            self._recorder.note("world", "resume", {"actor": actor})
            await self._processes[actor].resume()

    def script_at_next_start(self, fault: Mapping[str, object]) -> None:
        """The server's next start, and only that, begins with `fault`."""
        self._next_faults.append(fault)

    def url(self, actor: str) -> str:
        """Where the actor itself listens, with no proxy before it."""
        return f"http://127.0.0.1:{self._port(actor)}"

    def process(self, actor: str) -> Actor | None:
        """The actor's process, if it was started here; also one that has ended."""
        return self._processes.get(actor)

    def data_folder(self, actor: str) -> Path:
        """Where the actor keeps what must outlive it."""
        folder = self._folder / f"{actor}-data"
        folder.mkdir(exist_ok=True)
        return folder

    async def aclose(self) -> None:
        self._closing = True
        watching = list(self._watching)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, *self._starting.values(), return_exceptions=True)
        services = [p for a, p in self._processes.items() if a in self._scenario.services]
        others = [p for a, p in self._processes.items() if a not in self._scenario.services]
        await asyncio.gather(*(process.kill() for process in services))
        await asyncio.gather(*(process.kill() for process in others))
        await self._housing.aclose()
        await self._proxy.aclose()
        if self._http is not None:
            await self._http.close()
        for port in self._port_of.values():
            self._ports.release(port)

    def _service(self, service: str) -> Actor:
        return ActorProcess(
            service,
            self._client_argv(service),
            log=self.log(service),
            cwd=Path.cwd(),
            environ={**self._inherited(service), **self._environ(service)},
            on_exit=self._note_exit,
            on_rubbish=self._note_rubbish,
        )

    def _server_as(self, name: str, beside: str | None = None, data: Path | None = None) -> Actor:
        """A server of that name; with `beside`, another one of that actor, with `data` on that."""
        actor = beside or name
        data = data or self.data_folder(actor)
        launch = Launch(
            name=name,
            argv=self._argv(actor, data),
            port=self._port(actor),
            data=data,
            log=self.log(name),
            environ=self._environ(actor),
            inherited=self._inherited(actor),
        )
        other = self._processes.get(beside) if beside else None
        return self._housing.server(launch, self._note_exit, other)

    async def _lay_links(self) -> None:
        for service in self._scenario.services:
            await self.lay_link(service)
            if "main-api" in self._scenario.needs:
                link = f"{service}->main-api"
                await self._proxy.link(link, "127.0.0.1", self._port("main-api"))

    def _port(self, actor: str) -> int:
        if actor == "dtms" and isinstance(self._server, RunningServer):
            return self._server.port
        if actor not in self._port_of:
            self._port_of[actor] = self._ports.take()
        return self._port_of[actor]

    async def _is_listening(self, service: str, timeout_s: float) -> bool:
        """Whether a service reads requests. A program of its own protocol is not asked: it need
        not know any but `register`."""
        if isinstance(self._client, CommandClient):
            return self.running(service)
        try:
            await self._processes[service].ask({"id": 0, "op": "ping"}, timeout_s)
        except ActorGone as gone:
            words = self._processes[service].last_words()
            raise EnvironmentFailed(f"{gone} before it took requests. {words}".strip()) from gone
        except TimeoutError:
            return False
        return True

    async def _is_ready(self, actor: str) -> bool:
        path = "/dtms/health" if actor == "dtms" else "/health"
        answer = await self.http(actor, "GET", path)
        return answer is not None and answer[0] == 200

    async def _note_ready(self, process: Actor) -> None:
        while process.running:
            if await self._is_ready(process.actor):
                self._recorder.note("world", "ready", {"actor": process.actor})
                return
            await asyncio.sleep(READY_POLL_S)

    def _note_exit(self, process: Actor) -> None:
        if self._closing:
            return
        value: dict[str, object] = {"actor": process.actor, "exit_status": process.exit_status}
        if process.why_ended:
            value["why"] = process.why_ended
        if process.rubbish:
            value["rubbish_lines"] = process.rubbish
        if self._is_foreign(process.actor) and not process.ended_by_lab:
            value["words"] = process.last_words().rpartition("\n")[2][-WORDS_MAX:]
        self._recorder.note("world", "exited", value)

    def _note_rubbish(self, process: Actor) -> None:
        if not self._closing:
            value = {"actor": process.actor, "words": process.rubbish_words}
            self._recorder.note("world", "rubbish", value)

    def _watch(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    def _environ(self, actor: str) -> dict[str, str]:
        options = self._scenario.server.environ if actor == "dtms" else {}
        return {**options, "DTMS_LAB_TOKEN": self._token, "PYTHONUNBUFFERED": "1"}

    def _inherited(self, actor: str) -> dict[str, str]:
        """Of this machine's environment, for who runs on it."""
        given = (target_environ if self._is_foreign(actor) else lab_environ)(os.environ)
        return {name: value for name, value in given.items() if not name.startswith("DTMS_")}

    def _is_foreign(self, actor: str) -> bool:
        if actor in self._scenario.services:
            return not isinstance(self._client, ReferenceClient)
        return actor == "dtms" and not isinstance(self._server, SimulatedServer)

    def _argv(self, actor: str, data: Path) -> tuple[str, ...]:
        match actor:
            case "broker":
                return self._lab_server("simulator.broker", actor, data)
            case "main-api":
                return self._lab_server(
                    "simulator.main_api", actor, data, "--dtms-url", self._seen_url("dtms")
                )
            case _:
                return self._server_argv(data)

    def _lab_server(
        self, module: str, actor: str, folder: Path, *arguments: str
    ) -> tuple[str, ...]:
        """A server of this repository: where it listens and keeps its data is for its housing."""
        listening = ("--port", str(self._port(actor)), *self._housing.listening())
        data = ("--data-dir", self._housing.data_dir(folder))
        return (self._housing.python(), "-m", module, *listening, *data, *arguments)

    def _server_argv(self, folder: Path) -> tuple[str, ...]:
        port, data = str(self._port("dtms")), str(folder)
        broker, registry = self._url_if_needed("broker"), self._url_if_needed("main-api")
        match self._server:
            case SimulatedServer():
                return self._simulated_argv(broker, registry, folder)
            case FactoryServer(location=location):
                given = (location, port, data, broker, registry)
                return (sys.executable, str(Path(asgi_server.__file__).resolve()), *given)
            case CommandServer(argv=argv):
                names = {
                    "{port}": port,
                    "{data_dir}": data,
                    "{broker_url}": broker,
                    "{registry_url}": registry,
                }
                return tuple(_fill(word, names) for word in argv)
            case RunningServer():
                raise EnvironmentFailed(f"{self._server.name} cannot be started by the lab")

    def _url_if_needed(self, actor: Need) -> str:
        """Empty where the scenario does without it."""
        return self._seen_url(actor) if actor in self._scenario.needs else ""

    def _seen_url(self, actor: str) -> str:
        """Where other servers reach it."""
        return self._housing.url(actor, self._port(actor))

    def _simulated_argv(self, broker: str, registry: str, folder: Path) -> tuple[str, ...]:
        options = self._scenario.server
        argv = ["--monitoring-interval", str(options.monitoring_interval_s)]
        if broker:
            argv += ["--broker-url", broker]
        if registry:
            argv += ["--registry-url", registry]
        if not options.rate_limit:
            argv += ["--no-rate-limit"]
        if self._next_faults:
            argv += ["--lab-faults", json.dumps([dict(fault) for fault in self._next_faults])]
            self._next_faults.clear()
        return self._lab_server("simulator", "dtms", folder, *argv)

    def _client_argv(self, service: str) -> tuple[str, ...]:
        match self._client:
            case FunctionClient(location=location):
                return (self._python, str(Path(shim.__file__).resolve()), location)
            case CommandClient(argv=argv):
                return argv
            case ReferenceClient():
                return self._reference_argv(service)

    def _reference_argv(self, service: str) -> tuple[str, ...]:
        argv = ["--name", service, "--data-dir", str(self.data_folder(service))]
        argv += ["--api-url", self.link_url(f"{service}->dtms")]
        argv += ["--policy", json.dumps(asdict(self._scenario.policy))]
        if "main-api" in self._scenario.needs:
            argv += ["--main-api-url", self.link_url(f"{service}->main-api")]
        if "broker" in self._scenario.needs:
            argv += ["--broker-url", f"http://127.0.0.1:{self._port('broker')}"]
        return (sys.executable, "-m", "scenarios.targets.reference_service", *argv)


def _fill(word: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        word = word.replace(name, value)
    return word
