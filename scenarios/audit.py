"""What a server holds once all has healed, read as an operation of the history."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from scenarios.history import Recorder
from scenarios.worlds.world import World

READ_ATTEMPTS = 20
READ_PAUSE_S = 0.25


async def read_all(world: World, recorder: Recorder, tickets: Iterable[int]) -> str:
    """Reads each ticket at the DTMS API. Why that could not be done; empty where it was."""
    call = recorder.invoke("auditor", "read-all", None)
    trades: dict[str, object] = {}
    for ticket in sorted(tickets):
        answer = await read(world, "dtms", f"/dtms/trade/{ticket}", (200, 404))
        if answer is None:
            why = f"ticket {ticket} could not be read"
            call.info(None, why)
            return why
        status, body = answer
        trades[str(ticket)] = None if status == 404 else body
    call.ok(trades)
    return ""


async def read(
    world: World, actor: str, path: str, good: tuple[int, ...]
) -> tuple[int, object] | None:
    """Reads until one of the `good` statuses comes; None after READ_ATTEMPTS."""
    for _attempt in range(READ_ATTEMPTS):
        answer = await world.http(actor, "GET", path)
        if answer is not None and answer[0] in good:
            return answer
        await asyncio.sleep(READ_PAUSE_S)
    return None
