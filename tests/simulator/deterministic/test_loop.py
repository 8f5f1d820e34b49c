"""The event loop in virtual time: what asyncio may rely on, and what is refused."""

import asyncio
import contextlib
import gc
import socket
import time

import pytest

from simulator.deterministic.loop import BudgetSpent, Deadlock, SimLoop
from simulator.deterministic.process import Process
from simulator.deterministic.real import NotSimulated

DAY_S = 86_400.0


def test_a_day_passes_in_an_instant(sim) -> None:
    loop = sim(time_s_max=2 * DAY_S)
    began_s = time.monotonic()
    loop.run(asyncio.sleep(DAY_S))
    assert loop.time() == DAY_S
    assert time.monotonic() - began_s < 1.0


def test_time_stands_still_while_code_runs(sim) -> None:
    loop = sim()

    async def main() -> None:
        for _turn in range(100):
            await asyncio.sleep(0)

    loop.run(main())
    assert loop.time() == 0.0


def test_what_is_returned_and_raised_comes_back(run) -> None:
    async def main() -> None:
        raise KeyError("mine")

    assert run(asyncio.sleep(1, "told")) == "told"
    with pytest.raises(KeyError, match="mine"):
        run(main())


def test_callbacks_run_first_come_first_served(sim) -> None:
    loop, ran = sim(), []

    async def main() -> None:
        for n in range(5):
            loop.call_soon(ran.append, n)
        loop.call_soon(lambda: loop.call_soon(ran.append, "later"))
        loop.call_soon_threadsafe(ran.append, 5)
        await asyncio.sleep(1)

    loop.run(main())
    assert ran == [0, 1, 2, 3, 4, 5, "later"]


def test_timers_run_by_time_and_those_of_one_moment_in_order(sim) -> None:
    loop, ran = sim(), []

    async def main() -> None:
        for name, after_s in [("c", 2.0), ("a", 1.0), ("d", 2.0), ("b", 1.0)]:
            loop.call_later(after_s, ran.append, name)
        loop.call_at(2.0, ran.append, "e")
        await asyncio.sleep(3)

    loop.run(main())
    assert ran == ["a", "b", "c", "d", "e"]


def test_a_timer_in_the_past_is_due_now_and_time_does_not_go_back(sim) -> None:
    loop, ran = sim(), []

    async def main() -> None:
        await asyncio.sleep(5)
        loop.call_at(1.0, lambda: ran.append(loop.time()))
        await asyncio.sleep(0.1)

    loop.run(main())
    assert ran == [5.0]


def test_a_cancelled_handle_does_not_run(sim) -> None:
    loop, ran = sim(), []

    async def main() -> None:
        handles = [loop.call_soon(ran.append, 1), loop.call_later(1, ran.append, 2)]
        for handle in handles:
            handle.cancel()
        assert [handle.cancelled() for handle in handles] == [True, True]
        await asyncio.sleep(2)

    loop.run(main())
    assert ran == []


def test_a_timer_cancelled_by_one_of_the_same_moment_does_not_run(sim) -> None:
    loop, ran = sim(), []

    async def main() -> None:
        loop.call_later(1, lambda: second.cancel())
        second = loop.call_later(1, ran.append, "second")
        assert second.when() == 1.0
        await asyncio.sleep(2)

    loop.run(main())
    assert ran == []


def test_time_does_not_pass_for_a_cancelled_timer(sim) -> None:
    loop = sim()

    async def main() -> None:
        await asyncio.sleep(1)
        loop.call_later(100, print).cancel()
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        loop.run(main())
    assert loop.time() == 1.0


def test_timeouts_end_what_takes_too_long(sim) -> None:
    loop = sim()

    async def main() -> list[str]:
        told = []
        try:
            async with asyncio.timeout(2):
                await asyncio.sleep(10)
        except TimeoutError:
            told.append(f"timeout at {loop.time()}")
        try:
            await asyncio.wait_for(asyncio.sleep(10), 3)
        except TimeoutError:
            told.append(f"wait_for at {loop.time()}")
        async with asyncio.timeout(2):
            await asyncio.sleep(1)
        return told

    assert loop.run(main()) == ["timeout at 2.0", "wait_for at 5.0"]


def test_task_groups_cancel_the_others_when_one_fails(run) -> None:
    ended = []

    async def wait(name: str) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            ended.append(name)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for name in "abc":
                group.create_task(wait(name))
            await asyncio.sleep(1)
            raise KeyError("group")

    with pytest.raises(ExceptionGroup) as caught:
        run(main())
    assert isinstance(caught.value.exceptions[0], KeyError)
    assert sorted(ended) == ["a", "b", "c"]


def test_gather_and_wait_collect(run) -> None:
    async def main() -> tuple[list[int], int, int]:
        gathered = await asyncio.gather(*(asyncio.sleep(3 - n, n) for n in range(3)))
        tasks = [asyncio.create_task(asyncio.sleep(n)) for n in (1, 2, 30)]
        done, pending = await asyncio.wait(tasks, timeout=5)
        for task in pending:
            task.cancel()
        return gathered, len(done), len(pending)

    assert run(main()) == ([0, 1, 2], 2, 1)


def test_queues_locks_and_events_hand_over_in_order(run) -> None:
    async def main() -> list[object]:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        lock, event, seen = asyncio.Lock(), asyncio.Event(), []

        async def put() -> None:
            for n in range(3):
                await queue.put(n)

        async def locked(name: str) -> None:
            async with lock:
                await asyncio.sleep(1)
                seen.append(name)
            event.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(put())
            group.create_task(locked("x"))
            group.create_task(locked("y"))
            seen += [await queue.get() for _n in range(3)]
            await event.wait()
            seen.append("event")
        return seen

    assert run(main()) == [0, 1, 2, "x", "event", "y"]


def test_threads_are_run_here_and_now(run) -> None:
    async def main() -> list[object]:
        told = [await asyncio.to_thread(sum, (1, 2, 3))]
        try:
            await asyncio.to_thread(int, "none")
        except ValueError:
            told.append("raised")
        return told

    assert run(main()) == [6, "raised"]


def test_what_a_thread_raises_is_raised_where_it_is_awaited(sim) -> None:
    loop = sim()

    async def main() -> str:
        future = loop.run_in_executor(None, int, "none")
        with pytest.raises(ValueError, match="none"):
            await future
        return "went on"

    assert loop.run(main()) == "went on"


def test_a_deadlock_is_raised_at_once_and_names_who_waits_at_which_line(sim) -> None:
    loop = sim()

    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        await asyncio.sleep(7)
        loop.spawn(Process("bot"), forever())
        await asyncio.Event().wait()

    first = main.__code__.co_firstlineno
    with pytest.raises(Deadlock) as caught:
        loop.run(main())
    said = str(caught.value)
    assert "7.000 s" in said
    assert f"main:{first + 3}" in said
    assert f"bot at {forever.__qualname__}:{forever.__code__.co_firstlineno + 1}" in said


def test_a_deadlock_does_not_blame_the_dead(sim) -> None:
    loop, bot = sim(), Process("bot")

    async def main() -> None:
        loop.spawn(bot, asyncio.Event().wait())
        await asyncio.sleep(1)
        bot.die()
        await asyncio.Event().wait()

    with pytest.raises(Deadlock) as caught:
        loop.run(main())
    assert "bot" not in str(caught.value)


def test_a_deadlock_names_a_few_and_counts_the_rest(sim) -> None:
    async def main() -> None:
        await asyncio.gather(*(asyncio.Event().wait() for _n in range(20)))

    with pytest.raises(Deadlock, match="and 9 more") as caught:
        sim().run(main())
    assert str(caught.value).count(";") == 12


def test_who_waits_in_vain_is_ended_by_close_and_not_before(sim) -> None:
    loop, ended = sim(), []

    async def forever() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(True)

    async def main() -> None:
        loop.create_task(forever())
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        loop.run(main())
    gc.collect()
    assert ended == []
    loop.close()
    assert ended == [True]


def test_a_run_may_take_so_many_steps(sim) -> None:
    async def spin() -> None:
        for _turn in range(1_000_000):
            await asyncio.sleep(0)

    async def main() -> None:
        loop.create_task(spin())
        await asyncio.Event().wait()

    loop = sim(steps_max=1_000)
    with pytest.raises(BudgetSpent, match="1000 callbacks"):
        loop.run(main())
    assert loop.steps == 1_001


def test_a_run_may_take_so_much_virtual_time(sim) -> None:
    loop = sim(time_s_max=60.0)
    with pytest.raises(BudgetSpent, match="60 s of virtual time"):
        loop.run(asyncio.sleep(61))
    assert loop.time() <= 60.0


def test_what_a_callback_raises_goes_into_nobodys_hands(sim) -> None:
    loop = sim()

    def fail(error: BaseException) -> None:
        raise error

    async def main() -> str:
        loop.call_soon(fail, KeyError("one"))
        loop.call_later(1, fail, asyncio.CancelledError("two"))
        return await asyncio.sleep(2, "went on")

    assert loop.run(main()) == "went on"
    assert [repr(told["exception"]) for told in loop.unhandled] == [
        "KeyError('one')",
        "CancelledError('two')",
    ]
    loop.unhandled.clear()


def test_a_task_whose_failure_nobody_looks_at_is_told_of(sim) -> None:
    loop = sim()

    async def fail() -> None:
        raise KeyError("unseen")

    async def main() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(1)
        del task
        gc.collect()

    loop.run(main())
    assert [repr(told["exception"]) for told in loop.unhandled] == ["KeyError('unseen')"]
    loop.unhandled.clear()


def interrupt() -> None:
    raise KeyboardInterrupt


def test_an_interrupt_ends_the_run(sim) -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(interrupt)
        await asyncio.sleep(1)

    with pytest.raises(KeyboardInterrupt):
        sim().run(main())


async def add_reader(loop: SimLoop) -> None:
    loop.add_reader(0, print)


@pytest.mark.parametrize(
    ("ask", "named"),
    [
        (add_reader, "add_reader"),
        (lambda _loop: asyncio.create_subprocess_exec("true"), "subprocess_exec"),
        (lambda _loop: asyncio.create_subprocess_shell("true"), "subprocess_shell"),
        (lambda _loop: asyncio.start_server(print, "127.0.0.1", 0), "create_server"),
        (lambda _loop: asyncio.open_connection("127.0.0.1", 1), "create_connection"),
        (lambda _loop: asyncio.open_unix_connection("/there"), "create_unix_connection"),
        (lambda loop: loop.sock_recv(None, 1), "sock_recv"),
        (lambda loop: loop.getaddrinfo("localhost", 1), "getaddrinfo"),
        (
            lambda loop: loop.create_datagram_endpoint(asyncio.DatagramProtocol),
            "create_datagram_endpoint",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_real_is_refused_and_named_with_who_asked(sim, ask, named) -> None:
    loop = sim()

    async def swallow() -> None:
        with contextlib.suppress(Exception):  # careless code: the run must end all the same
            await ask(loop)
        await asyncio.sleep(10)

    async def main() -> None:
        await loop.spawn(Process("bot"), swallow())

    with pytest.raises(NotSimulated, match=named) as caught:
        loop.run(main())
    assert str(caught.value).startswith("bot asked for ")
    assert loop.time() == 0.0


@pytest.mark.parametrize("times", range(3))
def test_a_set_of_tasks_has_the_same_order_in_every_run(sim, times) -> None:
    loop = sim()
    keep = [bytearray(times * 1000 + n) for n in range(times * 7)]  # other addresses each time

    async def main() -> list[int]:
        tasks = [asyncio.create_task(asyncio.sleep(n)) for n in range(200)]
        numbers = {task: n for n, task in enumerate(tasks)}
        order = [numbers[task] for task in set(tasks)]
        await asyncio.gather(*tasks)
        return order

    assert keep is not None
    order = loop.run(main())
    assert sorted(order) == list(range(200))
    first = order.index(0)
    assert order[first:] + order[:first] == list(range(200))  # by number, from wherever it wraps


def test_close_ends_what_is_left_and_what_it_still_does_has_no_effect(sim) -> None:
    loop, ended, ran = sim(), [], []

    async def stubborn(name: str) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            ended.append(name)
            loop.call_soon(ran.append, name)
            loop.call_later(1, ran.append, name)
            await loop.create_task(asyncio.sleep(1))

    async def main() -> None:
        for name in "ab":
            loop.create_task(stubborn(name))
        await asyncio.sleep(1)

    loop.run(main())
    loop.close()
    loop.close()
    assert ended == ["a", "b"]
    assert ran == []
    assert loop.is_closed()
    assert asyncio.all_tasks(loop) == set() or all(
        task.get_coro().cr_frame is None for task in asyncio.all_tasks(loop)
    )


def test_a_coroutine_that_never_started_is_closed_too(sim) -> None:
    loop = sim()

    async def main() -> None:
        loop.create_task(asyncio.sleep(1))

    loop.run(main())
    loop.close()
    gc.collect()


def test_a_generator_that_was_left_early_is_finished(run) -> None:
    finished = []

    async def numbers():
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(1)
            finished.append(True)

    async def main() -> None:
        async for _number in numbers():
            break
        await asyncio.sleep(2)

    run(main())
    assert finished == [True]


def test_no_finalizer_runs_at_a_moment_that_the_collector_chose(sim) -> None:
    loop, finalized = sim(), []

    class Circular:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            finalized.append(loop.is_running())

    async def main() -> None:
        for _n in range(5_000):
            Circular()
            await asyncio.sleep(0)

    loop.run(main())
    gc.collect()
    assert set(finalized) == {False}
    assert gc.isenabled()


def test_the_same_program_runs_the_same_twice(sim) -> None:
    def episode() -> tuple[list[str], int]:
        loop, seen = sim(), []

        async def worker(n: int, queue: asyncio.Queue[int]) -> None:
            for _turn in range(10):
                await asyncio.sleep((n * 7 % 5) / 10)
                await queue.put(n)

        async def main() -> None:
            queue: asyncio.Queue[int] = asyncio.Queue(3)
            tasks = {asyncio.create_task(worker(n, queue)) for n in range(20)}
            seen.extend([f"{loop.time():.3f} {await queue.get()}" for _turn in range(150)])
            for task in tasks:
                task.cancel()
            done, _pending = await asyncio.wait(tasks)
            seen.extend(str(task.cancelled()) for task in done)

        loop.run(main())
        return seen, loop.steps

    assert episode() == episode()


def test_a_socket_that_blocks_is_refused(sim) -> None:
    from simulator.deterministic.sockets import SimSocket

    async def main() -> None:
        SimSocket(socket.AF_INET).connect(("127.0.0.1", 1))

    with pytest.raises(NotSimulated, match="blocking socket"):
        sim().run(main())


def test_what_a_generator_waited_for_at_the_end_is_ended_in_silence(sim, monkeypatch) -> None:
    complaints = []
    monkeypatch.setattr("sys.unraisablehook", lambda told: complaints.append(repr(told.exc_value)))
    loop, ended = sim(), []

    async def never() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(process.alive)
            asyncio.current_task()  # as libraries do; there is none any more

    async def stream():
        await never()
        yield

    async def read() -> None:
        async for _part in stream():
            pass

    async def main() -> None:
        loop.spawn(process, read())
        await asyncio.sleep(1)

    process = Process("reader")
    loop.run(main())
    loop.close()
    gc.collect()
    assert (ended, complaints) == ([False], [])
