"""What a world is: where an episode happens. The driver knows nothing else about it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol


class EnvironmentFailed(Exception):
    """The world could not do its part; says nothing about what is under test. `output` is what
    simulated targets had written by then, by actor."""

    output: Mapping[str, str] = MappingProxyType({})


class ActorGone(Exception):
    """The actor that was asked died, or was not running; the request may have been begun."""


class World(Protocol):
    """Actors that run, and capabilities that faults may use.

    Actors are `dtms`, `broker`, `main-api` and the services by name. All waits are bounded.
    """

    name: str
    fidelity: str

    def capabilities(self) -> Mapping[type, object]:
        """Which capabilities faults can use here, each with who provides it."""
        ...

    def now_us(self) -> int:
        """Microseconds since the episode began."""
        ...

    async def start(self, actor: str) -> None:
        """Starts the actor, or does nothing where it runs. Raises `EnvironmentFailed`."""
        ...

    async def until_ready(self, actor: str, timeout_s: float) -> bool:
        """Waits until the actor can do its work; False when `timeout_s` went by."""
        ...

    def running(self, actor: str) -> bool:
        """Whether the actor has been started and has not died."""
        ...

    def ended_by_itself(self, actor: str) -> bool:
        """Whether it is not running any more, and nobody killed or stopped it."""
        ...

    async def ask(self, service: str, request: Mapping[str, object], timeout_s: float) -> object:
        """One request to a service's client, and its answer.

        Raises `ActorGone`, or `TimeoutError` after `timeout_s`.
        """
        ...

    async def http(
        self, actor: str, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, object] | None:
        """One request straight to the actor, no fault in between: status and decoded body.

        None when no answer came.
        """
        ...

    async def aclose(self) -> None:
        """Ends every actor and leaves nothing behind."""
        ...
