"""What a world of real actors is built on: how an actor is run, and how actors see each other.

The world itself starts, asks, links and records; it does not know what its actors live in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from scenarios.worlds.process import ActorProcess


class Actor(Protocol):
    """One actor that runs, once: after its end it is not started again, but made anew."""

    actor: str
    ended_by_lab: bool
    rubbish: int
    rubbish_words: str

    async def start(self) -> None:
        """Raises `EnvironmentFailed` when it cannot be started."""
        ...

    @property
    def running(self) -> bool: ...

    @property
    def paused(self) -> bool: ...

    @property
    def pid(self) -> int | None:
        """On this machine; None where there is none, or it is not known."""
        ...

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative for a signal."""
        ...

    @property
    def why_ended(self) -> str:
        """What ended it, where that is known and not said by its status."""
        ...

    async def ask(self, request: Mapping[str, object], timeout_s: float) -> dict[str, object]:
        """One request line, and the line that answers it. Raises `ActorGone`, `TimeoutError`."""
        ...

    async def ends(self, within_s: float) -> bool:
        """Waits for it to end by itself; whether it did."""
        ...

    async def kill(self) -> None:
        """SIGKILL, and waits until it is gone. Nothing happens to one that is."""
        ...

    async def stop(self) -> bool:
        """Asks it to end, and kills it where it takes too long; whether it ended by itself."""
        ...

    async def pause(self) -> None: ...

    async def resume(self) -> None: ...

    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        ...


@dataclass(frozen=True, slots=True)
class Launch:
    """How one server is started. `port` is where this machine reaches it, `data` what outlives it;
    `inherited` is of this machine's environment, for a server that lives on it."""

    name: str
    argv: Sequence[str]
    port: int
    data: Path
    log: Path
    environ: Mapping[str, str] = field(repr=False)
    inherited: Mapping[str, str] = field(repr=False)


class Housing(Protocol):
    """Where servers live. Services are processes of this machine in any."""

    name: str
    """That of the world."""

    async def open(self) -> None:
        """Raises `EnvironmentFailed`."""
        ...

    async def aclose(self) -> None:
        """After every actor has ended: nothing stays."""
        ...

    def capabilities(self, actor: Callable[[str], Actor | None]) -> Mapping[type, object]:
        """What faults can use here beyond what every world of real processes offers. `actor` finds
        one by its name, where it was started."""
        ...

    def python(self) -> str:
        """The interpreter of the lab's own servers."""
        ...

    def listening(self) -> Sequence[str]:
        """What the lab's servers are told, so that they can be reached."""
        ...

    def url(self, actor: str, port: int) -> str:
        """Where servers reach each other."""
        ...

    def data_dir(self, folder: Path) -> str:
        """How an actor calls the folder that it keeps its data in."""
        ...

    def server(
        self, launch: Launch, on_exit: Callable[[Actor], None], beside: Actor | None = None
    ) -> Actor:
        """A server that is to be started. With `beside`, once more what that one is: on its port,
        and with its data."""
        ...


class ThisMachine:
    """Servers are processes of this machine, on loopback."""

    name = "local"

    async def open(self) -> None:
        """Nothing is needed."""

    async def aclose(self) -> None:
        """Nothing was."""

    def capabilities(self, _actor: Callable[[str], Actor | None]) -> Mapping[type, object]:
        return {}

    def python(self) -> str:
        return sys.executable

    def listening(self) -> Sequence[str]:
        return ()

    def url(self, _actor: str, port: int) -> str:
        return f"http://127.0.0.1:{port}"

    def data_dir(self, folder: Path) -> str:
        return str(folder)

    def server(
        self, launch: Launch, on_exit: Callable[[Actor], None], _beside: Actor | None = None
    ) -> Actor:
        return ActorProcess(
            launch.name,
            launch.argv,
            log=launch.log,
            cwd=Path.cwd(),
            environ={**launch.inherited, **launch.environ},
            on_exit=on_exit,
        )
