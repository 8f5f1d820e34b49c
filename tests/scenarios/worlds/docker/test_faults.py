"""Faults that only containers can suffer, in whole episodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest

from chaos.capabilities import Resources
from chaos.faults import CpuLimit, Disconnect, MemoryLimit
from chaos.nemesis import NotOffered
from chaos.schedule import Scheduled, during
from scenarios.checkers import judge
from scenarios.episode import Episode
from scenarios.history import History, Recorder
from scenarios.scenario import Scenario, always
from scenarios.suites import SCENARIOS
from scenarios.targets.spec import ReferenceClient, SimulatedServer
from scenarios.verdict import Valid, combine
from scenarios.workload import Lane
from scenarios.worlds.docker.housing import Containers
from scenarios.worlds.docker.session import open_session
from scenarios.worlds.housing import Housing, ThisMachine
from scenarios.worlds.local import LocalWorld
from scenarios.worlds.ports import Ports
from tests.engine import engine_or_skip

TARGETS = ReferenceClient(), SimulatedServer()
READY_S = 20.0
CONNECTIONS = 800
"""Each holds 60 kB."""


def scenario(*faults: Scheduled) -> Scenario:
    """A hundred trades, all at once in the middle of what happens."""
    quiet = SCENARIOS["hundred-at-once"]

    def later(random: Random) -> tuple[Lane, ...]:
        return tuple(replace(lane, at_s=lane.at_s + 0.8) for lane in quiet.workload(random))

    faulty = replace(quiet, name="in-containers", faults=always(*faults), faults_last_s=2.5)
    return replace(faulty, workload=later)


async def played(folder: Path, housing: Housing, *faults: Scheduled) -> History:
    chosen, path = scenario(*faults), folder / "history.jsonl"
    with Recorder(path) as recorder:
        async with opened(folder, housing, recorder, chosen) as world:
            await Episode(chosen, 1, world, recorder, *TARGETS).run()
    return History.read(path)


def opened(folder: Path, housing: Housing, recorder: Recorder, chosen: Scenario) -> LocalWorld:
    return LocalWorld(
        chosen,
        1,
        client=TARGETS[0],
        server=TARGETS[1],
        folder=folder / "work",
        ports=Ports(Random()),
        recorder=recorder,
        housing=housing,
    )


@asynccontextmanager
async def eating(port: int | None) -> AsyncIterator[None]:
    """Has the server keep what is not the whole of a request, again and again, until it is left."""
    head = b"POST /dtms/trade/enable HTTP/1.1\r\nHost: dtms\r\nContent-Length: 65000\r\n\r\n"
    writers = []
    # Dead it takes no more of them.
    with suppress(OSError):
        for _connection in range(CONNECTIONS):
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writers.append(writer)
            writer.write(head + b" " * 60_000)
            await writer.drain()
    try:
        yield
    finally:
        for writer in writers:
            writer.close()


async def in_containers(folder: Path, *faults: Scheduled) -> History:
    engine_or_skip().close()
    async with open_session() as session:
        return await played(folder, Containers(session, "test"), *faults)


def exits(history: History) -> list[object]:
    return [op.value for op in history.ops if op.f == "exited"]


def verdict(history: History) -> object:
    return combine(judge(history, scenario().checkers).values())


async def test_off_the_network_nothing_is_lost_and_the_server_goes_on(tmp_path) -> None:
    history = await in_containers(tmp_path, during(0.2, 1.8, Disconnect("dtms")))
    assert exits(history) == []
    assert any(op.process.startswith("wire") and op.type != "ok" for op in history.ops)
    assert isinstance(verdict(history), Valid)


async def test_killed_for_its_memory_it_is_told_as_that_and_comes_back(tmp_path) -> None:
    engine_or_skip().close()
    path = tmp_path / "history.jsonl"
    with Recorder(path) as recorder:
        async with open_session() as session:
            housing = Containers(session, "test")
            async with opened(tmp_path, housing, recorder, scenario()) as world:
                # Twice: what the first has read from disk is in memory, and not the second's. The
                # kernel would rather take its own program from it, page by page, than kill it.
                for _life in range(2):
                    await world.kill("dtms")
                    await world.start("dtms")
                    assert await world.until_ready("dtms", READY_S)
                undo = await MemoryLimit("dtms").inflict(world.capabilities()[Resources])
                async with eating(urlsplit(world.direct_url("dtms")).port):
                    assert await world.ends("dtms", READY_S)
                await undo()
                await world.start("dtms")
                assert await world.until_ready("dtms", READY_S)
    why = "the kernel killed it: out of memory"
    assert exits(History.read(path))[-1] == {"actor": "dtms", "exit_status": -9, "why": why}


async def test_with_little_of_the_processor_it_is_slow_and_right(tmp_path) -> None:
    history = await in_containers(tmp_path, during(0.0, 2.0, CpuLimit("dtms", 0.05)))
    assert exits(history) == []
    assert isinstance(verdict(history), Valid)


@pytest.mark.parametrize(
    ("fault", "needed"),
    [(Disconnect("dtms"), "Networks"), (MemoryLimit("dtms"), "Resources")],
)
async def test_processes_cannot_suffer_them_which_is_said(tmp_path, fault, needed) -> None:
    with pytest.raises(NotOffered, match=rf'needs {needed}\. World "local" offers .*Processes'):
        await played(tmp_path, ThisMachine(), during(0.0, 1.0, fault))
