"""What only containers can suffer. What makes no sense in an actor's state does nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chaos.capabilities import Undo
from chaos.docker.container import Container
from chaos.docker.engine import EngineFailed
from chaos.undo import nothing, once
from scenarios.worlds.docker.server import DYING_S_MAX, ServerContainer
from scenarios.worlds.housing import Actor
from scenarios.worlds.world import EnvironmentFailed

Find = Callable[[str], Actor | None]


class ContainerNetworks:
    """Capability `Networks`."""

    def __init__(self, actor: Find, network: str) -> None:
        self._actor = actor
        self._network = network

    async def disconnect(self, actor: str) -> Undo:
        return await _inflicted(self._actor, actor, lambda c: c.disconnect(self._network))


class ContainerResources:
    """Capability `Resources`."""

    def __init__(self, actor: Find) -> None:
        self._actor = actor

    async def limit_cpu(self, actor: str, cpus: float) -> Undo:
        return await _inflicted(self._actor, actor, lambda c: c.limit_cpu(cpus))

    async def limit_memory(self, actor: str, spare_bytes: int) -> Undo:
        async def limit(container: Container) -> Undo:
            return await container.limit_memory(await container.memory_bytes() + spare_bytes)

        return await _inflicted(self._actor, actor, limit)


async def _inflicted(find: Find, actor: str, fault: Callable[[Container], Awaitable[Undo]]) -> Undo:
    found = find(actor)
    if found is not None and not isinstance(found, ServerContainer):
        raise EnvironmentFailed(f"{actor} is a process of this machine, and no container")
    if found is None or found.container is None or not found.running:
        return nothing
    try:
        undo = await fault(found.container)
    except EngineFailed as error:
        raise EnvironmentFailed(f"{actor}: {error}") from error
    server = found

    async def take_back() -> None:
        try:
            await undo()
        except EngineFailed as error:
            # One that has ended has taken it along.
            if not await server.ends(DYING_S_MAX):
                raise EnvironmentFailed(f"{actor}: {error}") from error

    return once(take_back)
