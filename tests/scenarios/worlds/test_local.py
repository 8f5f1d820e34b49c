"""The world `local`: what is asked of an actor while it is on its way down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from chaos.capabilities import Disks, Server
from scenarios.history import Recorder
from scenarios.suites import SCENARIOS
from scenarios.targets.spec import ReferenceClient, SimulatedServer
from scenarios.worlds.local import LocalWorld
from scenarios.worlds.local_capabilities import GARBAGE
from scenarios.worlds.ports import Ports
from scenarios.worlds.process import ActorProcess
from scenarios.worlds.world import EnvironmentFailed

READY_S = 20.0


@pytest.fixture
async def world(tmp_path) -> AsyncIterator[LocalWorld]:
    """One whose server is ready."""
    async with LocalWorld(
        SCENARIOS["kill-after-ack"],
        1,
        client=ReferenceClient(),
        server=SimulatedServer(),
        folder=tmp_path,
        ports=Ports(Random()),
        recorder=Recorder(None),
    ) as opened:
        await opened.start("dtms")
        assert await opened.until_ready("dtms", READY_S)
        yield opened


async def test_the_store_of_one_that_is_being_killed_can_be_corrupted(world) -> None:
    disks = world.capabilities()[Disks]
    await asyncio.gather(world.kill("dtms"), disks.corrupt("dtms"))
    (store,) = world.data_folder("dtms").glob("**/*.db")
    assert store.read_bytes().startswith(GARBAGE)


async def test_the_store_of_one_that_runs_cannot(world) -> None:
    with pytest.raises(EnvironmentFailed, match="dtms must be down"):
        await world.capabilities()[Disks].corrupt("dtms")


async def test_a_fault_for_one_that_is_being_killed_waits_for_its_next_start(world) -> None:
    slow = {"fault": "init-slow", "delay_s": 1.0}
    server = world.capabilities()[Server]
    await asyncio.gather(world.kill("dtms"), server.script("dtms", slow))
    await world.start("dtms")
    assert not await world.until_ready("dtms", 0.9)
    assert await world.until_ready("dtms", READY_S)


async def test_a_pause_is_noted_within_the_time_that_it_lasts(world, monkeypatch) -> None:
    order: list[str] = []

    async def pause(_process: ActorProcess) -> None:
        order.append("paused")

    async def resume(_process: ActorProcess) -> None:
        order.append("resumed")

    monkeypatch.setattr(ActorProcess, "pause", pause)
    monkeypatch.setattr(ActorProcess, "resume", resume)
    monkeypatch.setattr(Recorder, "note", lambda _self, _process, f, _value: order.append(f))
    await world.pause("dtms")
    await world.resume("dtms")
    monkeypatch.undo()
    assert order == ["paused", "pause", "resume", "resumed"]
