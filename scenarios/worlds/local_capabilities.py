"""What faults may use in the world `local`: signals, files and control planes of real processes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from chaos.capabilities import Undo
from chaos.undo import nothing, once
from scenarios.worlds.world import EnvironmentFailed

if TYPE_CHECKING:
    from scenarios.worlds.local import LocalWorld

GARBAGE = b"\xde\xad\xbe\xef" * 1024
"""What a corrupted store starts with."""


class LocalProcesses:
    """Capability `Processes`: signals to real processes."""

    def __init__(self, world: LocalWorld) -> None:
        self._world = world

    async def kill(self, actor: str) -> None:
        await self._world.kill(actor)

    async def pause(self, actor: str) -> None:
        await self._world.pause(actor)

    async def resume(self, actor: str) -> None:
        await self._world.resume(actor)

    async def start(self, actor: str) -> None:
        await self._world.start(actor)

    async def stop(self, actor: str) -> None:
        await self._world.stop(actor)


class Folders(Protocol):
    """A world whose actors keep real files."""

    def running(self, actor: str) -> bool: ...

    async def let_end(self, actor: str) -> None:
        """Waits for one that is being killed or stopped; for no other."""
        ...

    def data_folder(self, actor: str) -> Path:
        """Where the actor keeps what must outlive it."""
        ...


class LocalDisks:
    """Capability `Disks`: what happens to files while their owner is down."""

    def __init__(self, world: Folders) -> None:
        self._world = world

    async def corrupt(self, actor: str) -> None:
        """Overwrites the start of each of the actor's database files."""
        await self._world.let_end(actor)
        if self._world.running(actor):
            raise EnvironmentFailed(f"{actor} must be down while its store is corrupted")
        for path in sorted(self._world.data_folder(actor).glob("**/*")):
            if path.suffix in {".db", ".sqlite", ".sqlite3"}:
                with path.open("r+b") as file:
                    file.write(GARBAGE)
            elif path.name.endswith(("-wal", "-shm")):
                path.unlink()

    async def wipe(self, actor: str) -> None:
        """Removes everything the actor had stored."""
        await self._world.let_end(actor)
        shutil.rmtree(self._world.data_folder(actor))


class LocalInstances:
    """Capability `Instances`: the same program once more."""

    def __init__(self, world: LocalWorld) -> None:
        self._world = world

    async def start_second(self, actor: str) -> Undo:
        return await self._world.start_second(actor)


class LocalServer:
    """Capability `Server`: the control plane of the simulated DTMS API."""

    def __init__(self, world: LocalWorld) -> None:
        self._world = world

    async def script(self, actor: str, fault: Mapping[str, object]) -> Undo:
        """Inflicts the fault now; on a server that is down, from its next start on."""
        await self._world.let_end(actor)
        if not self._world.running(actor):
            self._world.script_at_next_start(fault)
            return nothing
        answer = await self._world.http(
            actor, "POST", "/_lab/faults", msgspec.json.encode(dict(fault))
        )
        if answer is None or answer[0] != 200 or not isinstance(answer[1], dict):
            raise EnvironmentFailed(f"{actor} did not take the fault {dict(fault)}: {answer}")
        path = f"/_lab/faults/{answer[1]['id']}"

        async def heal() -> None:
            # A server that died meanwhile has no faults left to take back.
            await self._world.http(actor, "DELETE", path)

        return once(heal)
