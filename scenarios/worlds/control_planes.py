"""Capabilities that a world offers by asking its broker and main API over their control planes.

Neither kind of world needs more for them than a way to send a request straight to an actor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import msgspec

from chaos.capabilities import Undo
from chaos.undo import once
from scenarios.worlds.world import EnvironmentFailed

INSIST_S_MAX = 10.0
POLL_S = 0.03


class Asked(Protocol):
    """What of a world is needed."""

    async def http(
        self, actor: str, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, object] | None:
        """See `World`."""
        ...


class BrokerControl:
    """Capability `Broker`: the control plane of the simulated broker."""

    def __init__(self, world: Asked) -> None:
        self._world = world

    async def behave(self, mode: str, delay_s: float = 0.0) -> Undo:
        """From now on the broker behaves so; undone, it answers well again."""
        await self._tell({"mode": mode, "delay_s": delay_s})
        return once(lambda: self._tell({"mode": "ok", "delay_s": 0.0}))

    async def open_position(self, ticket: int, position: Mapping[str, object]) -> None:
        """Opens or replaces a position."""
        body = msgspec.json.encode(dict(position))
        await self._world.http("broker", "PUT", f"/_lab/positions/{ticket}", body)

    async def close_position(self, ticket: int) -> None:
        """Closes a position."""
        await self._world.http("broker", "DELETE", f"/_lab/positions/{ticket}")

    async def _tell(self, behaviour: Mapping[str, object]) -> None:
        await insist(self._world, "broker", "/_lab/behaviour", behaviour)


class ManagersControl:
    """Capability `Managers`: the control plane of the simulated main API."""

    def __init__(self, world: Asked) -> None:
        self._world = world

    async def behave(self, mode: str) -> Undo:
        """From now on the Universal Manager behaves so; undone, it accepts again."""
        await self._tell(mode)
        return once(lambda: self._tell("accept"))

    async def _tell(self, mode: str) -> None:
        await insist(self._world, "main-api", "/_lab/behaviour", {"universal": mode})


async def insist(world: Asked, actor: str, path: str, body: Mapping[str, object]) -> None:
    """A POST that must be taken, by an actor that may still be starting.

    Raises `EnvironmentFailed` after INSIST_S_MAX.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + INSIST_S_MAX
    encoded = msgspec.json.encode(dict(body))
    while (answer := await world.http(actor, "POST", path, encoded)) is None or answer[0] >= 300:
        if loop.time() > deadline:
            raise EnvironmentFailed(f"{actor} did not take POST {path}: {answer}")
        await asyncio.sleep(POLL_S)
