"""A pool's limit: nobody waits longer than said, and no connection is lost."""

from __future__ import annotations

import asyncio

import pytest

from scenarios.worlds.sim.client import Connections
from simulator.deterministic.loop import SimLoop


def test_so_many_at_once_and_the_others_in_turn() -> None:
    loop, pool, order = SimLoop(), Connections(2), []

    async def use(n: int) -> None:
        assert await pool.take(10)
        order.append(n)
        await asyncio.sleep(1)
        pool.give_back()

    async def main() -> None:
        await asyncio.gather(*(use(n) for n in range(5)))

    loop.run(main())
    loop.close()
    assert order == [0, 1, 2, 3, 4]
    assert loop.time() == 3.0


def test_who_waits_too_long_is_told_so() -> None:
    loop, pool = SimLoop(), Connections(1)

    async def main() -> list[bool]:
        took = [await pool.take(1), await pool.take(2)]
        pool.give_back()
        return [*took, await pool.take(1)]

    assert loop.run(main()) == [True, False, True]
    assert loop.time() == 2.0
    loop.close()


@pytest.mark.parametrize("ends", ["timeout", "cancelled"])
def test_a_connection_given_to_who_just_gave_up_is_not_lost(ends) -> None:
    loop, pool = SimLoop(), Connections(1)

    async def main() -> bool:
        await pool.take(1)
        if ends == "timeout":
            loop.call_at(1.0, pool.give_back)  # at the moment at which waiting ends
        waiting = asyncio.create_task(pool.take(1))
        await asyncio.sleep(0.5)
        if ends == "cancelled":
            pool.give_back()
            waiting.cancel()
        took = (await asyncio.gather(waiting, return_exceptions=True))[0]
        if took is True:
            pool.give_back()
        return await pool.take(1)

    assert loop.run(main())
    loop.close()
