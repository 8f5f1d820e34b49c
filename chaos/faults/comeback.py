"""How a process that was ended comes back."""

from __future__ import annotations

import asyncio
from typing import Protocol

from chaos.capabilities import Undo
from chaos.refusal import refuse_unless
from chaos.undo import once


class Starts(Protocol):
    """Who starts actors again: `Processes`, or `Power` once it is back."""

    async def start(self, actor: str) -> None:
        """Starts it; nothing happens where it runs."""
        ...


def check_comeback(after_s: float | None) -> None:
    """Raises `ValueError` for a time before the end."""
    refuse_unless(after_s is None or after_s >= 0, f"Nothing restarts after {after_s} s.")


def comeback(world: Starts, actor: str, after_s: float | None) -> Undo:
    """Starts the actor after `after_s`; the undo starts it now, whether or not that time is up.

    The undo raises what the start raised.
    """
    restart = None if after_s is None else asyncio.ensure_future(_later(world, actor, after_s))

    async def come_back() -> None:
        if restart is not None and not restart.done():
            restart.cancel()
            await asyncio.wait([restart])
        if restart is None or restart.cancelled():
            await world.start(actor)
        else:
            restart.result()

    return once(come_back)


async def _later(world: Starts, actor: str, after_s: float) -> None:
    await asyncio.sleep(after_s)
    await world.start(actor)
