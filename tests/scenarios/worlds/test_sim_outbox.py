"""The outbox on a simulated disk, where it fails: held to what the one in SQLite is held to."""

from __future__ import annotations

import asyncio
import io

import pytest

from core.alerts import Alerts
from core.errors import OutboxFailed
from core.events import Events
from core.outbox import Intent, Stored
from core.trade import Direction, Trade
from scenarios.worlds.sim.moment import SimClock
from scenarios.worlds.sim.outbox import DiskOutbox
from simulator.deterministic.disk import Disk
from simulator.deterministic.loop import SimLoop

TRADE = Trade(1001, "XAUUSD", Direction.BUY, 2350.0, 0.5)
OTHER = Trade(7, "XAUUSD", Direction.BUY, 2350.0, 0.5)


def test_what_is_durable_already_needs_no_disk():
    loop = SimLoop(None, steps_max=1_000)
    disk = Disk("bot", draw=lambda _key: 0.0, reached=lambda _point: None, alive=lambda: True)

    async def story():
        clock = SimClock(loop)
        events = Events(io.StringIO(), clock=clock, service="bot")
        outbox = DiskOutbox(disk, Alerts(events, ()))
        await asyncio.wrap_future(outbox.put(TRADE, "id"))
        disk.full = True
        known, fresh = outbox.put(TRADE, "again"), outbox.put(OTHER, "id")
        assert await asyncio.wrap_future(known) == Stored(Intent(TRADE, "id"))
        with pytest.raises(OutboxFailed):
            await asyncio.wrap_future(fresh)

    try:
        loop.run(story())
    finally:
        loop.close()
