"""What faults may use in the world `sim`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chaos.capabilities import (
    Broker,
    Disks,
    Instances,
    Managers,
    Points,
    Power,
    Processes,
    Server,
    Storage,
    Undo,
)
from chaos.undo import once
from scenarios.targets.spec import FactoryServer
from scenarios.worlds.control_planes import BrokerControl, ManagersControl
from scenarios.worlds.local_capabilities import LocalDisks
from scenarios.worlds.sim.points import Armed
from scenarios.worlds.sim.script import Script
from scenarios.worlds.world import EnvironmentFailed
from simulator.lab import FaultRefused

if TYPE_CHECKING:
    from scenarios.worlds.sim.world import SimWorld

POLL_S = 0.02
SECOND_S_MAX = 10.0


def offered(world: SimWorld) -> Mapping[type, object]:
    """Every capability that this episode's actors can suffer. A foreign server's files are real:
    they can be overwritten, but lose nothing that was not synced."""
    foreign = isinstance(world.server, FactoryServer)
    offered: dict[type, object] = {
        Processes: SimProcesses(world),
        Disks: SimDisks(world),
        Instances: SimInstances(world),
        Points: SimPoints(world),
    }
    if not foreign:
        offered[Server] = SimServerControl(world)
        offered[Power] = SimPower(world)
        offered[Storage] = SimStorage(world)
    if "broker" in world.scenario.needs and world.server.takes_broker:
        offered[Broker] = BrokerControl(world)
    if "main-api" in world.scenario.needs:
        offered[Managers] = ManagersControl(world)
    return offered


class SimProcesses:
    """Capability `Processes`."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world

    async def kill(self, actor: str) -> None:
        self._world.kill(actor)

    async def pause(self, actor: str) -> None:
        self._world.pause(actor)

    async def resume(self, actor: str) -> None:
        self._world.resume(actor)

    async def start(self, actor: str) -> None:
        await self._world.start(actor)

    async def stop(self, actor: str) -> None:
        await self._world.stop(actor)


class SimDisks:
    """Capability `Disks`. Whoever has its store open here keeps it in memory, and meets the damage
    at its next start; so it need not be down, as where files are real."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world

    async def corrupt(self, actor: str) -> None:
        if self._on_real_files(actor):
            await LocalDisks(self._world).corrupt(actor)
            return
        self._world.disk(actor).corrupt()

    async def wipe(self, actor: str) -> None:
        if self._on_real_files(actor):
            await LocalDisks(self._world).wipe(actor)
        else:
            self._world.disk(actor).wipe()

    def _on_real_files(self, actor: str) -> bool:
        return actor == "dtms" and isinstance(self._world.server, FactoryServer)


class SimInstances:
    """Capability `Instances`."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world

    async def start_second(self, actor: str) -> Undo:
        run = self._world.start_second(actor)

        async def end() -> None:
            deadline = self._world.loop.time() + SECOND_S_MAX
            while run.running and self._world.loop.time() < deadline:  # noqa: ASYNC110 - or late
                await asyncio.sleep(POLL_S)
            self._world.kill(run.actor)

        return once(end)


class SimServerControl:
    """Capability `Server`: the simulated API's own control plane, asked directly."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world

    async def script(self, actor: str, fault: Mapping[str, object]) -> Undo:
        script = Script(fault)
        try:
            self._world.script(actor, script)
        except FaultRefused as error:
            raise EnvironmentFailed(f"{actor} did not take {dict(fault)}: {error}") from error

        async def heal() -> None:
            script.heal()

        return once(heal)


class SimPower:
    """Capability `Power`."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world

    async def lose_power(self, actor: str) -> None:
        self._world.lose_power(actor)

    async def start(self, actor: str) -> None:
        await self._world.start(actor)


class SimStorage:
    """Capability `Storage`."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world

    async def trouble(self, actor: str, how: str, delay_s: float) -> Undo:
        self._set(actor, how, True, delay_s)

        async def heal() -> None:
            self._set(actor, how, False, 0.0)

        return once(heal)

    def _set(self, actor: str, how: str, on: bool, delay_s: float) -> None:
        disk = self._world.disk(actor)
        match how:
            case "full":
                disk.full = on
            case "io-error":
                disk.fails = on
            case "read-only":
                disk.read_only = on
            case _:
                disk.slow_s = delay_s if on else 0.0


class SimPoints:
    """Capability `Points`."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world

    async def arm(
        self, actor: str, point: str, nth: int, *, power: bool, restart_after_s: float
    ) -> Undo:
        world = self._world

        def die() -> None:
            if power:
                world.lose_power(actor)
            else:
                world.kill(actor)
            world.later(restart_after_s, lambda: world.start(actor))

        disarm = world.crossings.arm(actor, point, Armed(nth, die))

        async def undo() -> None:
            disarm()
            await world.start(actor)

        return once(undo)
