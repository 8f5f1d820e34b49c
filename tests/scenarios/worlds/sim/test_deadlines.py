"""The time-outs of one client: each comes when it is due, whatever others there are."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import Unanswered
from scenarios.worlds.sim.deadlines import Deadlines
from simulator.deterministic.loop import SimLoop


@pytest.mark.parametrize("timeouts_s", [(1.0, 1.0, 1.0), (3.0, 1.0, 2.0), (1.0, 2.0, 0.5)])
def test_each_comes_when_it_is_due(timeouts_s) -> None:
    loop, ended = SimLoop(), {}
    deadlines = Deadlines()

    async def wait(number: int, timeout_s: float) -> None:
        await asyncio.sleep(0.25 * number)
        waiting = loop.create_future()
        deadlines.watch(waiting, timeout_s)
        with pytest.raises(Unanswered, match="timed out"):
            await waiting
        ended[number] = loop.time()

    async def main() -> None:
        await asyncio.gather(*(wait(n, timeout_s) for n, timeout_s in enumerate(timeouts_s)))

    loop.run(main())
    loop.close()
    assert ended == {n: 0.25 * n + timeout_s for n, timeout_s in enumerate(timeouts_s)}


def test_what_was_answered_in_time_is_left_alone() -> None:
    loop = SimLoop()
    deadlines = Deadlines()

    async def main() -> None:
        first, second = loop.create_future(), loop.create_future()
        deadlines.watch(first, 1.0)
        deadlines.watch(second, 1.0)
        first.set_result("in time")
        await asyncio.sleep(2.0)
        assert first.result() == "in time"
        assert isinstance(second.exception(), Unanswered)

    loop.run(main())
    loop.close()
