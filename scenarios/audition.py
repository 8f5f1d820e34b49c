"""Targets are heard once before a campaign: what cannot be one is refused before all else.

Each is started as the world `local` starts it. A function must be there and take the helper's
arguments, and like a program it must answer one request, for which a server stands ready that has
nothing wrong with it. A server must answer `GET /dtms/health` with 200. What is answered is not
judged here.
In the simulation one trade is registered, and nothing else happens.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

from scenarios.exploration.workers import processes
from scenarios.history import Recorder
from scenarios.output import ExitStatus
from scenarios.scenario import Family, Scenario
from scenarios.targets import shim
from scenarios.targets.spec import (
    FactoryServer,
    FunctionClient,
    ReferenceClient,
    RunningServer,
    SimulatedServer,
    client_target,
    server_target,
)
from scenarios.targets.targets import Targets
from scenarios.workload import steady
from scenarios.worlds.local import LocalWorld
from scenarios.worlds.ports import Ports
from scenarios.worlds.sim.foreign import are_foreign
from scenarios.worlds.sim.play import Plan, play
from scenarios.worlds.world import ActorGone, EnvironmentFailed
from simulator.deterministic.loop import SimulationError

WITHIN_S = 20.0
"""How long a target may take to start, and to answer."""
SIM_S = 30.0
"""How long one registration may take in the simulation, by the machine's clock."""
RUNNING_S = 5.0
"""The same for a server that is said to run already."""
LINES_SHOWN = 12
"""Of what the target wrote to standard error: the last ones."""
BOT = "bot"
REQUEST: Mapping[str, object] = {
    "id": 1,
    "op": "register",
    "ticket": 1001,
    "trade": {
        "symbol": "EURUSD",
        "direction": "BUY",
        "entry_price": 1.0856,
        "volume": 0.5,
        "stop_loss": 1.0806,
        "take_profit": None,
    },
    "timeout_s": 5.0,
    "retry_count": 3,
    "via": "register",
}
QUIET = Scenario(
    name="audition",
    family=Family.STARTUP,
    proves="A target can be one.",
    workload=steady((BOT,), trades=1, over_s=0.1),
    checkers=(),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a target is none, in a sentence; the status that the command ends with; the last lines of
    what the target wrote to standard error; and where all of it is, if it wrote anything."""

    sentence: str
    status: ExitStatus
    words: str = ""
    log: Path | None = None

    def __str__(self) -> str:
        told = f"dtms-lab: {self.sentence}"
        if self.log is not None:
            lines = (f"  {line}" for line in self.words.splitlines()[-LINES_SHOWN:])
            told = "\n".join((told, *lines, f"its standard error: {self.log}"))
        return told


async def audition(targets: Targets, folder: Path, within_s: float = WITHIN_S) -> Refusal | None:
    """None where both can be played. What a refused target wrote is kept in `folder`/logs."""
    server, client = targets.server, targets.client
    if not isinstance(server, SimulatedServer):
        alone = Targets(ReferenceClient(), server, targets.python)
        refusal = await _hear(alone, "dtms", f"--server {server.name}", folder, within_s)
        if refusal is not None:
            return refusal
    if not isinstance(client, ReferenceClient):
        alone = Targets(client, SimulatedServer(), targets.python)
        return await _hear(alone, BOT, f"--client {client.name}", folder, within_s)
    return None


async def audition_in_sim(targets: Targets, folder: Path, within_s: float = SIM_S) -> str:
    """Why these targets cannot be simulated, where that shows in one registration; empty where it
    can. What they wrote then is kept in `folder`/logs."""
    client, server = targets.client, targets.server
    if not are_foreign(client, server):
        return ""
    loop = asyncio.get_running_loop()
    with processes(1) as pool:
        playing = loop.run_in_executor(pool, play_quietly, client.name, server.name)
        # Where nobody waits for it any more, what becomes of it is no news.
        playing.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Not cancelled where it takes too long: the pool's own thread would stumble over it.
        await asyncio.wait([playing], timeout=within_s)
        if not playing.done():
            return f"one registration took more than {within_s:g} s"
        try:
            why, output = playing.result()
        except BrokenExecutor as error:
            return f"the process that played it died: {error}"
    for actor, text in output.items():
        kept = folder / "logs" / "audition" / f"{actor}-in-sim.log"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(text, encoding="utf-8", errors="replace")
    return why


def not_simulated(targets: Targets, why: str) -> Refusal:
    """What is said where there is no other world to play in."""
    sentence = f"{targets.client.name} with {targets.server.name} cannot be simulated: {why}"
    return Refusal(sentence, ExitStatus.ENVIRONMENT_FAILED)


def play_quietly(client: str, server: str) -> tuple[str, dict[str, str]]:
    """In a worker: why it could not be played, and what was written then, by actor."""
    targets = client_target(client), server_target(server)
    try:
        play(Plan(QUIET, 0, "socket", client=targets[0], server=targets[1]))
    except EnvironmentFailed as failure:
        return str(failure), dict(failure.output)
    except SimulationError as error:
        return str(error), {}
    return "", {}


async def _hear(
    targets: Targets, actor: str, name: str, folder: Path, within_s: float
) -> Refusal | None:
    work = Path(tempfile.mkdtemp(prefix="dtms-lab-audition-"))
    try:
        async with AsyncExitStack() as ending:
            recorder = ending.enter_context(Recorder(work / "history.jsonl"))
            world = await ending.enter_async_context(
                LocalWorld(
                    QUIET,
                    0,
                    client=targets.client,
                    server=targets.server,
                    folder=work,
                    ports=Ports(Random()),
                    recorder=recorder,
                    python=targets.python,
                )
            )
            hear = _Audition(world, targets, within_s)
            why = await (hear.server() if actor == "dtms" else hear.client())
            if not why:
                return None
            kind = type(targets.server if actor == "dtms" else targets.client)
            function = issubclass(kind, FunctionClient | FactoryServer)
            return _refusal(world, actor, f"{name}: ", why, function, folder / "logs" / "audition")
    except EnvironmentFailed as failure:
        return Refusal(f"{name} could not be tried: {failure}", ExitStatus.ENVIRONMENT_FAILED)
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Audition:
    """What is wrong, in words; empty where nothing is."""

    def __init__(self, world: LocalWorld, targets: Targets, within_s: float) -> None:
        self._world = world
        self._targets = targets
        self._within_s = within_s

    async def server(self) -> str:
        world = self._world
        runs = isinstance(self._targets.server, RunningServer)
        within_s = min(RUNNING_S, self._within_s) if runs else self._within_s
        try:
            await world.start("dtms")
            if await world.until_ready("dtms", within_s):
                return ""
        except EnvironmentFailed as failure:
            if world.exit_status("dtms") is None:
                return str(failure)
            return f"ended with status {world.exit_status('dtms')} before it was ready"
        answer = await world.http("dtms", "GET", "/dtms/health")
        said = "gave no answer" if answer is None else f"answered {answer[0]}"
        return f"was not ready within {within_s:g} s: GET /dtms/health {said}"

    async def client(self) -> str:
        world, within_s = self._world, self._within_s
        await world.start("dtms")
        if not await world.until_ready("dtms", WITHIN_S):
            raise EnvironmentFailed("the simulated server was not ready for an audition")
        try:
            await world.start(BOT)
            if not await world.until_ready(BOT, within_s):
                return f"took no request within {within_s:g} s"
            answer = await world.ask(BOT, REQUEST, within_s)
        except EnvironmentFailed as failure:
            if world.exit_status(BOT) is None:
                return str(failure)
            return f"ended with status {world.exit_status(BOT)} before it took requests"
        except ActorGone:
            if await world.ends(BOT, within_s):
                status = world.exit_status(BOT)
                return f"ended with status {status} instead of answering{self._printed}"
            return f"closed its input{self._printed}"
        except TimeoutError:
            return f"did not answer a request within {within_s:g} s{self._printed}"
        said = answer.get("registered", answer) if isinstance(answer, dict) else answer
        if any(said is word for word in (True, False, None)):
            return ""
        return f"answered {answer!r}, where registered is not true, false or null"

    @property
    def _printed(self) -> str:
        words = self._world.rubbish(BOT)
        return f", and printed what is no answer: {words}" if words else ""


def _refusal(
    world: LocalWorld, actor: str, name: str, why: str, function: bool, kept: Path
) -> Refusal:
    """`kept` is the folder for what it wrote."""
    words, status = world.last_words(actor), ExitStatus.ENVIRONMENT_FAILED
    if function and world.exit_status(actor) == shim.REFUSED:
        words, _, why = words.rpartition(shim.SENTENCE)
        status = ExitStatus.USAGE
    log = world.log(actor)
    if not log.exists() or not log.stat().st_size:
        return Refusal(name + why, status)
    kept.mkdir(parents=True, exist_ok=True)
    shutil.copy(log, kept / log.name)
    return Refusal(name + why, status, words.strip(), kept / log.name)
