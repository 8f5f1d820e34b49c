"""What a world may offer to faults. A fault names one of these; a world says which it has.

M faults and N worlds need M + N pieces of code, not M x N. Links are called like `bot->dtms`;
`*->dtms` is every link to dtms, those that come into being later included.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol

from chaos.conditions import Toxic
from chaos.request import Op
from chaos.toxiproxy.poison import Poison
from chaos.verdict import Rule

Undo = Callable[[], Awaitable[None]]
"""Takes back what was inflicted; calling it again does nothing."""

Trouble = Literal["full", "io-error", "read-only", "slow"]
"""What can be wrong with a disk: no space is left, operations fail, writing is not allowed, or all
of it takes long."""

DatabaseFailure = Literal["killed", "frozen", "locked", "exhausted", "cut-off"]
"""What can be wrong with a database server: its processes are dead, or stand still, a transaction
holds the tables, every connection is taken, or it ends all that there are."""

Point = Literal[
    "write", "written", "sync", "synced",
    "send", "sent", "receive", "received",
    "answer", "answered",
]  # fmt: skip
"""Where an actor can be struck down: before and after it writes to a file, syncs one, sends a
request, receives the answer to it, and answers a request itself."""


class Links(Protocol):
    """Byte streams between actors that can be made worse."""

    async def toxify(self, link: str, toxic: Toxic) -> Undo:
        """Puts the toxic in force on open and new connections. Raises `ValueError` for a link
        that there is not."""
        ...


class Toxics(Protocol):
    """Links through a Toxiproxy, real or embedded."""

    async def poison(self, link: str, poison: Poison) -> Undo:
        """Puts the toxic in force on open and new connections. Raises `ValueError` for a link
        that there is not."""
        ...

    async def take_down(self, link: str) -> Undo:
        """Disables the proxy: connecting is refused, open connections end. Raises likewise."""
        ...


class Requests(Protocol):
    """Requests that are seen one by one on their way."""

    async def rule(self, link: str, rule: Rule) -> Undo:
        """From now on the rule decides about requests on the link. Raises `ValueError` for a link
        that there is not."""
        ...

    async def until_seen(self, n: int, op: Op) -> None:
        """Returns when the n-th request of this operation, counted from 1 and from the beginning
        of the world, has been seen; at once if it already was."""
        ...


class Processes(Protocol):
    """Actors that are processes. What makes no sense in an actor's state does nothing."""

    async def kill(self, actor: str) -> None:
        """Ends it at once, without a chance to tidy up (kill -9)."""
        ...

    async def stop(self, actor: str) -> None:
        """Asks it to end and waits until it has."""
        ...

    async def start(self, actor: str) -> None:
        """Starts it; nothing happens where it runs."""
        ...

    async def pause(self, actor: str) -> None:
        """Freezes it (SIGSTOP)."""
        ...

    async def resume(self, actor: str) -> None:
        """Lets it go on (SIGCONT)."""
        ...


class Instances(Protocol):
    """Actors of which a second instance can be started by mistake."""

    async def start_second(self, actor: str) -> Undo:
        """Starts it on the same port and data; undone, the second instance has ended."""
        ...


class Server(Protocol):
    """The control plane inside the DTMS API."""

    async def script(self, actor: str, fault: Mapping[str, object]) -> Undo:
        """Inflicts a fault that the server knows by `fault["fault"]`."""
        ...


class Broker(Protocol):
    """The broker, and how it behaves."""

    async def behave(self, mode: str, delay_s: float = 0.0) -> Undo:
        """From now on it behaves so; undone, it answers well again."""
        ...

    async def open_position(self, ticket: int, position: Mapping[str, object]) -> None:
        """Opens or replaces a position."""
        ...

    async def close_position(self, ticket: int) -> None:
        """Closes a position; nothing happens where there is none."""
        ...


class Managers(Protocol):
    """The Universal Manager, and how it behaves."""

    async def behave(self, mode: str) -> Undo:
        """From now on it behaves so; undone, it accepts again."""
        ...


class Disks(Protocol):
    """What actors have stored."""

    async def corrupt(self, actor: str) -> None:
        """Overwrites the beginning of its store, while it is down."""
        ...

    async def wipe(self, actor: str) -> None:
        """Removes its store, while it is down."""
        ...


class Networks(Protocol):
    """Actors that can be taken off the network. So far only containers are."""

    async def disconnect(self, actor: str) -> Undo:
        """It reaches nobody and nobody reaches it, until undone."""
        ...


class Resources(Protocol):
    """Actors that can be kept short. So far only containers are."""

    async def limit_cpu(self, actor: str, cpus: float) -> Undo:
        """It gets so much of one processor's time; undone, as much as it likes."""
        ...

    async def limit_memory(self, actor: str, spare_bytes: int) -> Undo:
        """It is killed when it uses so much more than it does now; undone, it may use what there
        is."""
        ...


class Power(Protocol):
    """Actors whose machine can lose power. So far only a simulation offers this: a real process
    that is killed leaves what it has written with the operating system."""

    async def lose_power(self, actor: str) -> None:
        """It dies at once, and what it had written and not synced is gone. Nothing happens to an
        actor that does not run."""
        ...

    async def start(self, actor: str) -> None:
        """Power is back, and it starts; nothing happens where it runs."""
        ...


class Storage(Protocol):
    """Actors whose disk can fail them while they run. So far only a simulation offers this."""

    async def trouble(self, actor: str, how: Trouble, delay_s: float) -> Undo:
        """From now on its disk behaves so; undone, it works again. `delay_s` is how much longer
        each operation takes on one that is "slow", and means nothing otherwise."""
        ...


class Database(Protocol):
    """A database server in which actors keep their rows. `chaos.postgres` offers this."""

    async def fail(self, how: DatabaseFailure) -> Undo:
        """From now on it fails so; undone, it works again. What is "cut-off" takes connections
        again at once."""
        ...


class Points(Protocol):
    """Actors that can be made to die between two steps of their own input and output. So far only
    a simulation offers this."""

    async def arm(
        self, actor: str, point: Point, nth: int, *, power: bool, restart_after_s: float
    ) -> Undo:
        """The actor dies at exactly the `nth` time from now on, from 0, that it comes to the point,
        before it goes past it; with `power`, its machine dies with it and what was not synced is
        gone. It is started again after `restart_after_s`. Undone, it does not die there any more,
        and it runs."""
        ...


class Clocks(Protocol):
    """Actors whose idea of the time can be wrong."""

    async def skew(self, actor: str, by_s: float) -> Undo:
        """Its clock is ahead by that much, or behind for a negative number."""
        ...
