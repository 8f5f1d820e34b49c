"""What DTMS asks of a store, whatever it keeps its rows in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

from simulator.ledger import Registration

QUEUE_MAX = 20_000
"""How many saves may wait for a commit."""
BATCH_MAX = 512
"""How many saves share one commit."""
BUSY_MS = 100
"""How long a commit waits for a lock that another process holds."""


class StoreFailed(Exception):
    """Nothing of what was asked for has been stored; the message says why. Of a commit whose sync
    failed, a crash before the next commit may still leave all of it."""


class StoreDoubtful(StoreFailed):
    """Whether it has been stored nobody can tell now: the connection was lost while it was."""


@dataclass(slots=True)
class StoreFaults:
    """What the control plane does to the store. `crash_before` and `crash_after` count down the
    commits until the process kills itself on that side of one; None is never."""

    fails: bool = False
    slow_s: float = 0.0
    crash_before: int | None = None
    crash_after: int | None = None


class Store(Protocol):
    """Rows by ticket, durable once saved. A commit that failed has changed nothing."""

    @property
    def faults(self) -> StoreFaults:
        """What is done to the store now."""
        ...

    @property
    def writable(self) -> bool:
        """Whether the last commit succeeded."""
        ...

    @property
    def set_aside(self) -> PurePath | None:
        """Where the file is that was corrupt when the store was opened."""
        ...

    @property
    def shared(self) -> SharedStore | None:
        """The store itself where other processes may write to it as well."""
        ...

    async def open(self) -> tuple[Registration, ...]:
        """Every row there is, by ticket. A corrupt file is set aside, never emptied.

        Raises `StoreFailed`.
        """
        ...

    def save(self, rows: Sequence[Registration], gone: Sequence[int] = ()) -> asyncio.Future[None]:
        """Resolved when all rows are durable, and those of the tickets in `gone` removed.

        Fails with `StoreFailed`; then nothing was stored.
        """
        ...

    async def probe(self) -> bool:
        """Whether a commit succeeds now."""
        ...

    async def close(self) -> None:
        """Commits all that waits, and lets the file go."""
        ...

    def lock(self, held: bool) -> None:
        """Holds the write lock as another process would, or lets go."""
        ...

    def set_full(self, full: bool) -> None:
        """The store may not grow, as on a full disk, or may again."""
        ...

    def set_read_only(self, read_only: bool) -> None:
        """Every write is refused, as on a disk mounted read-only, or accepted again."""
        ...


class SharedStore(Store, Protocol):
    """A store that other processes write to as well. It decides; what memory holds of it is only
    what it said last. A change names what it changes, so that none is lost."""

    def swap(
        self, before: Registration | None, after: Registration
    ) -> asyncio.Future[Registration | None]:
        """Stores `after` where `before` is what is stored, None for nothing.

        Resolved with None when that is durable, else with what is stored instead. Fails with
        `StoreFailed`, or with `StoreDoubtful`.
        """
        ...

    async def find(self, ticket: int) -> Registration | None:
        """What is stored under the ticket. Raises `StoreFailed`."""
        ...

    async def rows(self) -> tuple[Registration, ...]:
        """Every row there is, by ticket. Raises `StoreFailed`."""
        ...
