"""One container, and what can be done to it. Each method is one call to the engine, or a few."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import docker

from chaos.capabilities import Undo
from chaos.docker.engine import Engine, EngineFailed
from chaos.undo import once

SIGNALLED = 128
"""What the exit status of one that a signal ended is above."""
PERIOD_US = 100_000
"""Over which a share of CPU time is measured."""
MEMORY_BYTES_MIN = 6 * 1024 * 1024
"""The engine takes no lower limit."""
WAIT_S = 30.0
"""How long one call waits for an end before it asks anew."""
POLL_S = 0.05
OOM_LOOKS = 20
"""How often it is looked whether memory was why a container ended that had a limit."""

Work = Callable[[docker.DockerClient], object]


@dataclass(frozen=True, slots=True)
class State:
    """What the engine says of a container. `exit_status` is None while it runs or never did, and
    negative for a signal; `out_of_memory` whether the kernel killed something in it for that;
    `pid` that of its first process on this machine, 0 where there is none."""

    running: bool
    paused: bool
    exit_status: int | None
    out_of_memory: bool
    pid: int
    restarts: int

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> State:
        """From the engine's inspection."""
        state = told["State"]
        over = state["Status"] in {"exited", "dead"}
        code = int(state["ExitCode"])
        return cls(
            running=bool(state["Running"]),
            paused=bool(state["Paused"]),
            exit_status=(SIGNALLED - code if code > SIGNALLED else code) if over else None,
            out_of_memory=bool(state["OOMKilled"]),
            pid=int(state["Pid"]),
            restarts=int(told.get("RestartCount", 0)),
        )


class Container:
    """A container that there is, by its id. All methods raise `EngineFailed`."""

    def __init__(self, engine: Engine, container: str) -> None:
        self.id = container
        self._engine = engine
        self._limited = False

    async def state(self) -> State:
        return State.of(await self._engine.call(lambda c: c.api.inspect_container(self.id)))

    async def start(self) -> None:
        await self._engine.call(lambda c: c.api.start(self.id))

    async def kill(self) -> None:
        """SIGKILL by the engine: it is not started again, whatever its restart policy. Nothing
        happens to one that does not run."""
        await self._unless(
            lambda state: not state.running, lambda c: c.api.kill(self.id, signal="SIGKILL")
        )

    async def crash(self) -> None:
        """SIGKILL behind the engine's back, as when it dies of itself: with a restart policy the
        engine starts it again. Nothing happens to one that does not run."""
        state = await self.state()
        if not state.pid:
            return
        try:
            os.kill(state.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        except PermissionError:
            await self._engine.call(lambda c: self._kill_as_root(c, state.pid))

    async def stop(self, within_s: int = 10) -> None:
        """SIGTERM, and SIGKILL after `within_s`."""
        await self._engine.call(lambda c: c.api.stop(self.id, timeout=within_s))

    async def restart(self, within_s: int = 10) -> None:
        """Stops it and starts it, the same container with what it had written."""
        await self._engine.call(lambda c: c.api.restart(self.id, timeout=within_s))

    async def pause(self) -> None:
        """Freezes all of its processes; its port still takes connections."""
        await self._unless(
            lambda state: state.paused or not state.running, lambda c: c.api.pause(self.id)
        )

    async def resume(self) -> None:
        """Lets them go on; nothing happens where it is not paused."""
        await self._unless(lambda state: not state.paused, lambda c: c.api.unpause(self.id))

    async def disconnect(self, network: str) -> Undo:
        """Takes it off the network; undone, it is back under the same names. Its published ports go
        and come with the network that carries them."""
        told = await self._engine.call(lambda c: c.api.inspect_container(self.id))
        names = told["NetworkSettings"]["Networks"][network]["Aliases"]
        await self._engine.call(
            lambda c: c.api.disconnect_container_from_network(self.id, network, force=True)
        )

        async def reconnect() -> None:
            await self._engine.call(
                lambda c: c.api.connect_container_to_network(self.id, network, aliases=names)
            )

        return once(reconnect)

    async def limit_cpu(self, cpus: float) -> Undo:
        """It gets so much of one CPU's time and no more; undone, as much as it likes."""
        await self._update(cpu_period=PERIOD_US, cpu_quota=max(1_000, int(cpus * PERIOD_US)))
        return once(lambda: self._update(cpu_quota=-1))

    async def limit_memory(self, memory_bytes: int) -> Undo:
        """When it uses more, the kernel kills it; undone, it may use as much as there is. Where it
        does already, kernels differ: one kills it, another refuses the limit."""
        limit = max(MEMORY_BYTES_MIN, memory_bytes)
        self._limited = True
        await self._update(mem_limit=limit, memswap_limit=limit)
        total = int((await self._engine.call(lambda c: c.info()))["MemTotal"])
        return once(lambda: self._update(mem_limit=total, memswap_limit=total))

    async def memory_bytes(self) -> int:
        """What it uses."""
        told = await self._engine.call(lambda c: c.api.stats(self.id, stream=False, one_shot=True))
        return int(told["memory_stats"]["usage"])

    async def until_over(self) -> State:
        """Waits until it does not run, and will not run again by itself."""
        while True:
            # Where it takes longer than one call may, or the engine is gone, the state tells.
            with suppress(EngineFailed):
                await self._engine.call(lambda c: c.api.wait(self.id, timeout=WAIT_S))
            state = await self.state()
            if not state.running:
                return await self._with_its_reason(state)
            await asyncio.sleep(POLL_S)

    async def _with_its_reason(self, state: State) -> State:
        """The engine may hear that a container is over before it hears that memory was why."""
        for _look in range(OOM_LOOKS if self._limited else 0):
            if state.out_of_memory or state.exit_status != -signal.SIGKILL:
                break
            await asyncio.sleep(POLL_S)
            state = await self.state()
        return state

    async def output(self) -> bytes:
        """All that it has written, on both of its streams."""
        return bytes(await self._engine.call(lambda c: c.api.logs(self.id)))

    async def remove(self) -> None:
        """Ends it, whatever it does, and forgets it."""
        await self._engine.call(lambda c: c.api.remove_container(self.id, force=True, v=True))

    def _kill_as_root(self, client: docker.DockerClient, pid: int) -> None:
        """A further container of its image, which sees this machine's processes."""
        told = client.api.inspect_container(self.id)
        client.containers.run(
            told["Image"],
            ["-c", f"kill -KILL {pid}"],
            entrypoint=["sh"],
            user="0",
            pid_mode="host",
            network_mode="none",
            labels=told["Config"]["Labels"],
            remove=True,
        )

    async def _update(self, **limits: int) -> None:
        await self._engine.call(lambda c: c.api.update_container(self.id, **limits))

    async def _unless(self, is_so: Callable[[State], bool], work: Work) -> None:
        """What is so already cannot be done, and need not be: only the state tells, since engines
        refuse it with one status and another."""
        try:
            await self._engine.call(work)
        except EngineFailed:
            if not is_so(await self.state()):
                raise
