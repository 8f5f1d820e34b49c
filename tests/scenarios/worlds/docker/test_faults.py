"""Faults that only containers can suffer, in whole episodes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

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
from scenarios.worlds.docker.housing import Containers
from scenarios.worlds.docker.session import open_session
from scenarios.worlds.housing import Housing, ThisMachine
from scenarios.worlds.local import LocalWorld
from scenarios.worlds.ports import Ports
from tests.engine import engine_or_skip


def scenario(*faults: Scheduled) -> Scenario:
    """Trades that are registered while these happen."""
    quiet = SCENARIOS["kill-after-ack"]
    return replace(quiet, name="in-containers", faults=always(*faults), faults_last_s=2.0)


async def played(folder: Path, housing: Housing, *faults: Scheduled) -> History:
    chosen, path = scenario(*faults), folder / "history.jsonl"
    targets = ReferenceClient(), SimulatedServer()
    with Recorder(path) as recorder:
        async with LocalWorld(
            chosen,
            1,
            client=targets[0],
            server=targets[1],
            folder=folder / "work",
            ports=Ports(Random()),
            recorder=recorder,
            housing=housing,
        ) as world:
            await Episode(chosen, 1, world, recorder, *targets).run()
    return History.read(path)


async def in_containers(folder: Path, *faults: Scheduled) -> History:
    engine_or_skip().close()
    async with open_session() as session:
        return await played(folder, Containers(session, "test"), *faults)


def exits(history: History) -> list[object]:
    return [op.value for op in history.ops if op.f == "exited"]


def verdict(history: History) -> object:
    return combine(judge(history, scenario().checkers).values())


async def test_off_the_network_nothing_is_lost_and_the_server_goes_on(tmp_path) -> None:
    history = await in_containers(tmp_path, during(0.2, 1.2, Disconnect("dtms")))
    assert exits(history) == []
    assert any(op.process.startswith("wire") and op.type != "ok" for op in history.ops)
    assert isinstance(verdict(history), Valid)


async def test_killed_for_its_memory_it_is_told_as_that_and_comes_back(tmp_path) -> None:
    history = await in_containers(tmp_path, during(0.2, 1.5, MemoryLimit("dtms", 8)))
    assert {"actor": "dtms", "exit_status": -9, "why": "the kernel killed it: out of memory"} in (
        exits(history)
    )
    assert isinstance(verdict(history), Valid)


async def test_with_little_of_the_processor_it_is_slow_and_right(tmp_path) -> None:
    history = await in_containers(tmp_path, during(0.0, 2.0, CpuLimit("dtms", 0.05)))
    assert exits(history) == []
    assert isinstance(verdict(history), Valid)


@pytest.mark.parametrize(
    ("fault", "needed"),
    [(Disconnect("dtms"), "Networks"), (MemoryLimit("dtms", 64), "Resources")],
)
async def test_processes_cannot_suffer_them_which_is_said(tmp_path, fault, needed) -> None:
    with pytest.raises(NotOffered, match=rf'needs {needed}\. World "local" offers .*Processes'):
        await played(tmp_path, ThisMachine(), during(0.0, 1.0, fault))
