"""The outbox on a simulated disk, where it fails: held to what the one in SQLite is held to."""

from __future__ import annotations

import asyncio
import io

import pytest

from core.alerts import Alerts
from core.errors import OutboxFailed
from core.events import Events
from core.outbox import Intent, Stored
from core.outcome import Registered
from core.trade import Direction, Trade
from scenarios.worlds.sim.moment import SimClock
from scenarios.worlds.sim.outbox import DiskOutbox
from simulator.deterministic.disk import Disk
from simulator.deterministic.loop import SimLoop

TRADE = Trade(1001, "XAUUSD", Direction.BUY, 2350.0, 0.5)
OTHER = Trade(7, "XAUUSD", Direction.BUY, 2350.0, 0.5)


def live(story):
    """Plays a story with an outbox and its disk."""
    loop = SimLoop(None, steps_max=1_000)
    disk = Disk("bot", draw=lambda _key: 0.0, reached=lambda _point: None, alive=lambda: True)

    async def told():
        events = Events(io.StringIO(), clock=SimClock(loop), service="bot")
        await story(DiskOutbox(disk, Alerts(events, ())), disk)

    try:
        loop.run(told())
    finally:
        loop.close()


def test_what_is_durable_already_needs_no_disk():
    async def story(outbox, disk):
        await asyncio.wrap_future(outbox.put(TRADE, "id"))
        disk.full = True
        known, fresh = outbox.put(TRADE, "again"), outbox.put(OTHER, "id")
        assert await asyncio.wrap_future(known) == Stored(Intent(TRADE, "id"))
        with pytest.raises(OutboxFailed):
            await asyncio.wrap_future(fresh)

    live(story)


def test_a_trade_whose_outcome_cannot_be_written_is_pending_still():
    async def story(outbox, disk):
        await asyncio.wrap_future(outbox.put(TRADE, "id"))
        disk.fails = True
        concluding, again = outbox.conclude(Registered(1001)), outbox.put(TRADE, "again")
        assert await asyncio.wrap_future(again) == Stored(Intent(TRADE, "id"))
        assert isinstance(concluding.exception(), OutboxFailed)

    live(story)


def test_a_registered_trade_stays_so_where_it_cannot_be_opened_anew():
    async def story(outbox, disk):
        await asyncio.wrap_future(outbox.put(TRADE, "id"))
        outbox.conclude(Registered(1001))
        await asyncio.sleep(1)
        disk.fails = True
        again = await asyncio.wrap_future(outbox.put(TRADE, "again"))
        assert again.intent.state == "REGISTERED"
        assert outbox.outcomes() == {1001: "REGISTERED"}

    live(story)
