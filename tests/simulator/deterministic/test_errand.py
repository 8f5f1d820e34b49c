"""Errands: begun at once, gone on with by what they wait for, ended with their process."""

from __future__ import annotations

import asyncio

import pytest

from simulator.deterministic.loop import SimLoop
from simulator.deterministic.process import Process, current_process
from simulator.deterministic.schedule import TASK, Pct


@pytest.fixture
def loop():
    made = SimLoop()
    yield made
    made.close()


def begin(loop: SimLoop, errand, process: Process | None = None) -> None:
    """As a link hands a request to a server."""
    loop.call_soon(loop.run_errand, errand, context=(process or Process("dtms")).context.copy())


def test_it_runs_up_to_its_first_wait_when_it_is_begun(loop) -> None:
    seen = []

    async def errand() -> None:
        seen.append("begun")
        await asyncio.sleep(1.0)
        seen.append("woken")

    async def main() -> None:
        begin(loop, errand())
        await asyncio.sleep(0)
        assert seen == ["begun"]
        await asyncio.sleep(2.0)

    loop.run(main())
    assert seen == ["begun", "woken"]


def test_it_is_told_what_its_future_failed_with(loop) -> None:
    told = []
    waits = loop.create_future()

    async def errand() -> None:
        try:
            await waits
        except ValueError as error:
            told.append(str(error))

    async def main() -> None:
        begin(loop, errand())
        await asyncio.sleep(0.1)
        waits.set_exception(ValueError("no"))
        await asyncio.sleep(0.1)

    loop.run(main())
    assert told == ["no"]


def test_what_it_raises_is_told_as_unhandled(loop) -> None:
    async def errand() -> None:
        await asyncio.sleep(0)
        raise ValueError("a defect")

    async def main() -> None:
        begin(loop, errand())
        await asyncio.sleep(0.1)

    loop.run(main())
    assert [str(told["exception"]) for told in loop.unhandled] == ["a defect"]


def test_it_does_not_outlive_its_process(loop) -> None:
    process, seen = Process("dtms"), []

    async def errand() -> None:
        try:
            await asyncio.sleep(1.0)
            seen.append("woken")
        finally:
            ended = current_process()
            seen.append(ended is process and not process.alive)

    async def main() -> None:
        begin(loop, errand(), process)
        await asyncio.sleep(0.5)
        process.die()
        await asyncio.sleep(1.0)
        assert seen == []

    loop.run(main())
    loop.close()
    assert seen == [True]


def test_a_schedule_takes_each_for_a_task_of_its_own() -> None:
    loop, process, numbers = SimLoop(Pct(1)), Process("dtms"), []

    async def errand() -> None:
        await asyncio.sleep(0)
        numbers.append(TASK.get())

    async def main() -> None:
        for _ in range(3):
            begin(loop, errand(), process)
        await asyncio.sleep(0.1)

    loop.run(main())
    loop.close()
    assert sorted(numbers) == [1, 2, 3]
