"""Processes that are killed and paused: what of them still runs, and what does not."""

import asyncio

import pytest

from simulator.deterministic.disk import Disk
from simulator.deterministic.process import (
    PROCESS,
    Process,
    ProcessKilled,
    current_process,
)
from simulator.deterministic.schedule import Pct, RandomWalk, Scripted

SCHEDULES = pytest.mark.parametrize(
    "schedule", [None, Scripted({}), RandomWalk(1), Pct(1)], ids=["fifo", "script", "walk", "pct"]
)


def alive() -> bool:
    """As worlds fence what outlives a process."""
    process = current_process()
    return process is None or process.alive


def disk(name: str = "disk") -> Disk:
    return Disk(name, sync_s=0.01, draw=lambda _key: 0.0, reached=lambda _point: None, alive=alive)


def within(process: Process, do, *args) -> None:
    process.context.copy().run(do, *args)


@SCHEDULES
def test_nothing_of_a_killed_process_runs_again(sim, schedule) -> None:
    loop, bot, ran = sim(schedule), Process("bot"), []
    queue: asyncio.Queue[str] = asyncio.Queue()
    held = loop.create_future()

    async def wait_for(what: str, awaitable) -> None:
        await awaitable
        ran.append(what)

    async def body() -> None:
        loop.call_later(2, ran.append, "timer")
        asyncio.create_task(wait_for("sleep", asyncio.sleep(2)))  # noqa: RUF006 - held below
        asyncio.create_task(wait_for("queue", queue.get()))  # noqa: RUF006
        asyncio.create_task(wait_for("future", held))  # noqa: RUF006
        await asyncio.sleep(1)
        ran.append("alive")
        loop.call_soon(ran.append, "ready")

    async def main() -> None:
        loop.spawn(bot, body())
        await asyncio.sleep(0.5)
        assert ran == []
        within(bot, loop.call_soon, ran.append, "ready")
        bot.die()
        queue.put_nowait("work")
        held.set_result(None)
        await asyncio.sleep(10)

    loop.run(main())
    assert ran == []


@SCHEDULES
def test_a_paused_process_waits_and_then_runs_on_in_order(sim, schedule) -> None:
    loop, bot, ran = sim(schedule), Process("bot"), []

    async def body() -> None:
        for n in range(5):
            loop.call_later(1 + n / 10, ran.append, n)
        await asyncio.sleep(10)
        ran.append(loop.time())

    async def main() -> None:
        loop.spawn(bot, body())
        await asyncio.sleep(1.15)
        loop.pause(bot)
        loop.pause(bot)
        before = list(ran)
        await asyncio.sleep(30)
        assert ran == before
        loop.resume(bot)
        loop.resume(bot)
        await asyncio.sleep(1)

    loop.run(main())
    assert ran[:2] == [0, 1]
    assert sorted(ran[2:]) == [2, 3, 4, 31.15]
    if not isinstance(schedule, RandomWalk | Pct):
        assert ran[2:] == [2, 3, 4, 31.15]


@SCHEDULES
def test_what_was_due_before_the_resume_runs_before_what_came_after(sim, schedule) -> None:
    loop, bot, ran = sim(schedule), Process("bot"), []

    async def main() -> None:
        for n in range(3):
            within(bot, loop.call_soon, ran.append, n)
        loop.call_soon(loop.resume, bot)
        for n in range(3, 6):
            within(bot, loop.call_soon, ran.append, n)
        loop.pause(bot)
        await asyncio.sleep(1)

    loop.run(main())
    assert sorted(ran) == list(range(6))
    if not isinstance(schedule, RandomWalk | Pct):
        assert ran == list(range(6))


def test_a_callback_cancelled_during_the_pause_does_not_run(sim) -> None:
    loop, bot, ran = sim(), Process("bot"), []

    async def main() -> None:
        handle = loop.call_later(1, ran.append, "ran", context=bot.context.copy())
        loop.pause(bot)
        await asyncio.sleep(2)
        handle.cancel()
        loop.resume(bot)
        await asyncio.sleep(1)

    loop.run(main())
    assert ran == []


def test_a_process_killed_while_it_is_paused_stays_dead(sim) -> None:
    loop, bot, ran = sim(), Process("bot"), []

    async def main() -> None:
        loop.call_later(1, ran.append, "ran", context=bot.context.copy())
        loop.pause(bot)
        await asyncio.sleep(2)
        bot.die()
        loop.resume(bot)
        assert not bot.alive
        await asyncio.sleep(1)

    loop.run(main())
    assert ran == []


def test_the_last_will_is_done_in_order_once_and_may_be_revoked() -> None:
    bot, done = Process("bot"), []
    bot.at_death(lambda: done.append(("first", bot.alive)))
    revoke = bot.at_death(lambda: done.append(("revoked", bot.alive)))
    bot.at_death(lambda: done.append(("last", bot.alive)))
    revoke()
    revoke()
    bot.die()
    bot.die()
    assert done == [("first", False), ("last", False)]


def test_a_will_may_revoke_another_while_it_is_done() -> None:
    bot, done = Process("bot"), []
    bot.at_death(lambda: revoke())
    revoke = bot.at_death(lambda: done.append("second"))
    bot.die()
    assert done == ["second"]


def test_death_unwinds_the_callback_in_its_middle(sim) -> None:
    loop, bot, ran = sim(), Process("bot"), []

    async def body() -> None:
        try:
            ran.append("before")
            bot.die()
            bot.stop_if_dead()
            ran.append("after")
        finally:
            ran.append(f"unwound, alive: {alive()}")

    def callback() -> None:
        other.die()
        other.stop_if_dead()
        ran.append("after")

    other = Process("other")

    async def main() -> None:
        loop.spawn(bot, body())
        loop.call_soon(callback, context=other.context.copy())
        await asyncio.sleep(1)

    loop.run(main())
    assert ran == ["before", "unwound, alive: False"]


def test_no_handler_of_exceptions_stops_death(sim) -> None:
    loop, bot, ran = sim(), Process("bot"), []

    async def body() -> None:
        try:
            bot.die()
            bot.stop_if_dead()
        except Exception:  # noqa: BLE001 - as code under test does
            ran.append("caught")

    async def main() -> None:
        loop.spawn(bot, body())
        await asyncio.sleep(1)

    loop.run(main())
    assert ran == []
    assert not issubclass(ProcessKilled, Exception)


def test_what_is_not_dead_goes_on() -> None:
    Process("bot").stop_if_dead()


@pytest.mark.parametrize("waits_for", ["timer", "future", "queue"])
def test_the_finally_block_of_a_dead_process_writes_nothing(sim, waits_for) -> None:
    """It runs late, or when the last that holds it lets go, but always under its own name."""
    loop, bot, file = sim(), Process("bot"), disk().file("a")
    runs_as = []

    async def body() -> None:
        file.append("begun")
        try:
            if waits_for == "timer":
                await asyncio.sleep(5)
            elif waits_for == "queue":
                await asyncio.Queue().get()
            else:
                await loop.create_future()
        finally:
            runs_as.append(current_process())
            file.append("finally")

    async def main() -> None:
        loop.spawn(bot, body())
        await asyncio.sleep(1)
        bot.die()
        await asyncio.sleep(10)

    loop.run(main())
    assert runs_as == []
    loop.close()
    assert runs_as == [bot]
    assert file.records == ["begun"]


def test_a_process_that_lives_to_the_end_writes_nothing_after_it(sim) -> None:
    loop, bot, file = sim(), Process("bot"), disk().file("a")

    async def body() -> None:
        try:
            await asyncio.sleep(5)
        finally:
            file.append("finally")

    async def main() -> None:
        loop.spawn(bot, body())
        await asyncio.sleep(1)

    loop.run(main())
    loop.close()
    assert file.records == []


def test_a_dead_process_syncs_nothing(sim) -> None:
    loop, bot, file = sim(), Process("bot"), disk().file("a")

    async def body() -> None:
        file.append("begun")
        await file.sync()

    async def main() -> None:
        loop.spawn(bot, body())
        await asyncio.sleep(0.005)
        bot.die()
        await asyncio.sleep(1)

    loop.run(main())
    assert (file.records, file.synced) == (["begun"], 0)


def test_who_runs_is_known_in_tasks_callbacks_and_threads(sim) -> None:
    loop, bot, seen = sim(), Process("bot"), []

    async def note(what: str) -> None:
        await asyncio.sleep(0)
        seen.append((what, current_process()))

    async def body() -> None:
        await note("coroutine")
        await asyncio.create_task(note("task"))
        async with asyncio.TaskGroup() as group:
            group.create_task(note("group"))
        for call in (loop.call_soon, lambda do: loop.call_later(1, do)):
            call(lambda: seen.append(("callback", current_process())))
        seen.append(("thread", await asyncio.to_thread(current_process)))
        done = loop.create_future()
        done.add_done_callback(lambda _done: seen.append(("done", current_process())))
        done.set_result(None)
        await asyncio.sleep(2)

    async def main() -> None:
        task = loop.spawn(bot, body())
        assert task.get_name() == "bot"
        await task
        seen.append(("lab", PROCESS.get()))

    loop.run(main())
    assert seen.pop() == ("lab", None)
    assert {what for what, _who in seen} == {
        "coroutine", "task", "group", "callback", "thread", "done",
    }  # fmt: skip
    assert {who for _what, who in seen} == {bot}


def test_a_future_that_somebody_else_resolves_wakes_its_owner(sim) -> None:
    loop, bot, dtms, seen = sim(), Process("bot"), Process("dtms"), []

    async def wait(future) -> None:
        await future
        seen.append(current_process())

    async def resolve(future) -> None:
        future.set_result(None)

    async def main() -> None:
        future = loop.create_future()
        loop.spawn(bot, wait(future))
        await asyncio.sleep(1)
        loop.spawn(dtms, resolve(future))
        await asyncio.sleep(1)

    loop.run(main())
    assert seen == [bot]


def test_a_restart_is_another_process() -> None:
    first, second = Process("bot", 0), Process("bot", 1)
    first.die()
    assert (first.alive, second.alive) == (False, True)
    assert repr(second) == "<bot #1 running>"
