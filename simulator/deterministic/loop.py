"""An event loop in virtual time: what runs next is decided by a schedule, never by the machine.

Time stands still while callbacks run and jumps to the next timer when none is ready. Everything
asyncio needs is here; whatever would leave the simulation raises `NotSimulated`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import sys
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextvars import copy_context
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from simulator.deterministic.errand import Errand
from simulator.deterministic.process import (
    NEUTRAL,
    PAUSED,
    PROCESS,
    RUNNING,
    Life,
    Process,
    ProcessKilled,
)
from simulator.deterministic.real import NotSimulated, Sealed, refuse
from simulator.deterministic.schedule import TASK, Schedule

if TYPE_CHECKING:
    from simulator.deterministic.network import Network

T = TypeVar("T")

STEPS_MAX = 2_000_000
"""Callbacks of one run."""
TIME_S_MAX = 3_600.0
"""Virtual seconds of one run."""
WAITING_SHOWN_MAX = 12
"""How many tasks a deadlock names."""


class SimulationError(Exception):
    """The run cannot go on; says nothing about what is simulated."""


class Deadlock(SimulationError):
    """Every task waits and nothing will ever happen; the message says who waits where."""


class BudgetSpent(SimulationError):
    """More callbacks or more virtual time than a run may take."""


class Handle(msgspec.Struct, eq=False):
    """A callback that will run once, unless it is cancelled or its process dies first."""

    callback: Callable[..., object]
    args: tuple[Any, ...]
    context: contextvars.Context
    process: Process | None
    """Whose it is."""
    _when: float = 0.0
    cancelled_: bool = False

    def cancel(self) -> None:
        self.cancelled_ = True
        self.args = ()

    def cancelled(self) -> bool:
        return self.cancelled_

    def when(self) -> float:
        """The loop's time at which it is due."""
        return self._when


Place = tuple[int, int, Handle]
"""The rank of a callback that is ready, and how many were ranked before it."""


class SimTask(asyncio.Task[Any]):
    """Hashed by its number, so that sets of tasks are in the same order in every run."""

    __slots__ = ("_number", "process")
    process: Process | None
    """Whose it is; None for the lab's own."""

    def __init__(
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        loop: SimLoop,
        name: str,
        context: contextvars.Context | None,
        process: Process | None,
    ) -> None:
        self._number = loop.number()  # asyncio keeps every new task in a set
        self.process = process
        super().__init__(coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self._number


class SimFuture(asyncio.Future[Any]):
    """Hashed in the order in which that is asked for."""

    __slots__ = ("_number",)
    _loop: SimLoop
    _number: int

    def __hash__(self) -> int:
        try:
            return self._number
        except AttributeError:
            self._number = number = self._loop.number()
            return number


class SimLoop(Sealed):
    """One for each run; `run` may be called once.

    `schedule` decides about callbacks that are ready together; None is first come, first served.
    """

    def __init__(
        self,
        schedule: Schedule | None = None,
        *,
        steps_max: int = STEPS_MAX,
        time_s_max: float = TIME_S_MAX,
    ) -> None:
        self.network: Network | None = None
        """Who carries sockets; without one there are none."""
        self.on_exit: Callable[[Process, SystemExit], None] | None = None
        """Told where code of a process asks for its end; else that ends the run."""
        self.steps = 0
        self._now_s = 0.0
        self._schedule = schedule
        self._steps_max = steps_max
        self._time_s_max = time_s_max
        self._fifo: deque[Handle] = deque()
        """What became ready; places are given only where there is more than one."""
        self._ranked: list[Place] = []
        self._arrivals = 0
        self._counts: dict[str, int] = {}
        self._timers: list[tuple[float, int, Handle]] = []
        self._timers_set = 0
        self._numbers = 0
        self._tasks_of: dict[str, int] = {}
        self._made: list[weakref.ref[SimTask]] = []
        self._buried: dict[Process, tuple[SimTask, ...]] = {}
        self._left: list[SimTask] = []
        self._errands: dict[Errand, Process | None] = {}
        """Those that have not ended, those of dead processes included: they are not finalized
        under the name of whoever runs then."""
        self._generators: dict[
            int, tuple[weakref.ref[AsyncGenerator[Any, Any]], Process | None]
        ] = {}
        """Those that somebody still has."""
        self._running = False
        self._stopping = False
        self._closed = False
        self._failure: BaseException | None = None
        self.unhandled: list[dict[str, Any]] = []
        """What was raised into nobody's hands."""

    # Running.

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Runs `main` to its end and closes the loop. Raises what it raises, or
        `SimulationError`."""
        return self.run_until_complete(main)

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        main = asyncio.ensure_future(cast(Awaitable[T], future), loop=self)
        main.add_done_callback(self._end)
        self._running = True
        hooks, collects = sys.get_asyncgen_hooks(), gc.isenabled()
        gc.disable()  # finalizers would run whenever the collector comes by
        sys.set_asyncgen_hooks(self._note_generator, self._finish_generator)
        asyncio._set_running_loop(self)
        try:
            self._turn()
        finally:
            asyncio._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)
            self._left = self.unfinished()  # so that they are not finalized before `close`
            if collects:
                gc.enable()
            self._running = False
        return main.result()

    def _end(self, _main: asyncio.Future[Any]) -> None:
        self._stopping = True

    def _note_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        number = self.number()
        forget = lambda _gone: self._generators.pop(number, None)  # noqa: E731
        self._generators[number] = (weakref.ref(generator, forget), PROCESS.get())

    def _finish_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        """Nobody has it any more: what is left of it runs in a task."""
        if not self._closed:
            self.create_task(generator.aclose())

    def _turn(self) -> None:
        fifo, ranked, timers = self._fifo, self._ranked, self._timers
        in_turn = self._schedule is None
        budget = self._steps_max
        while not self._stopping:
            if fifo:
                # Where one alone is ready there is nothing to decide.
                if in_turn or (len(fifo) == 1 and not ranked):
                    place, handle = None, fifo.popleft()
                else:
                    self._rank()
                    continue
            elif ranked:
                place = heappop(ranked)
                handle = place[2]
            elif timers:
                when, _number, handle = heappop(timers)
                if handle.cancelled_:
                    continue
                self._jump_to(when)
                if timers and timers[0][0] <= when:
                    # All that is due then becomes ready.
                    fifo.append(handle)
                    while timers and timers[0][0] <= when:
                        fifo.append(heappop(timers)[2])
                    continue
                place = None
            else:
                raise Deadlock(
                    f"at {self._now_s:.3f} s of virtual time nothing is due, and these wait: "
                    f"{_who_waits(self)}"
                )
            if handle.cancelled_:
                continue
            process = handle.process
            if process is not None and process.life is not RUNNING:
                if process.life is PAUSED:
                    self._park(process, handle, place)
                continue
            self.steps += 1
            if self.steps > budget:
                raise BudgetSpent(f"{budget} callbacks, at {self._now_s:.3f} s of virtual time")
            try:
                handle.context.run(handle.callback, *handle.args)
            except ProcessKilled:
                pass  # its process died in the middle of it: there is nobody to tell
            except KeyboardInterrupt:
                raise
            except SystemExit as ended:
                if process is None or self.on_exit is None:
                    raise
                self.on_exit(process, ended)
            except BaseException as error:  # noqa: BLE001 - as every event loop does
                self.call_exception_handler({"message": "callback failed", "exception": error})
        if self._failure is not None:
            raise self._failure

    def _jump_to(self, when: float) -> None:
        """The time of the next timer comes."""
        if when > self._time_s_max:
            raise BudgetSpent(
                f"{self._time_s_max:g} s of virtual time; these wait: {_who_waits(self)}"
            )
        if when > self._now_s:
            self._now_s = when

    def _rank(self) -> None:
        """Gives all that became ready their places, in the order in which it did."""
        fifo, ranked, schedule, counts = self._fifo, self._ranked, self._schedule, self._counts
        assert schedule is not None
        while fifo:
            handle = fifo.popleft()
            if handle.cancelled_:
                continue
            self._arrivals = rank = arrival = self._arrivals + 1
            process = handle.process
            if process is not None:
                name = process.name
                nth = counts.get(name, 0)
                counts[name] = nth + 1
                rank += schedule.places(name, nth, handle.context)
            heappush(ranked, (rank, arrival, handle))

    def _park(self, process: Process, handle: Handle, place: Place | None) -> None:
        if place is None:
            self._arrivals += 1
            place = (self._arrivals, self._arrivals, handle)
        process.parked.append(place)

    def fail(self, failure: BaseException) -> None:
        """Ends the run with this."""
        self._failure = self._failure or failure
        self._stopping = True

    def number(self) -> int:
        """Another one each time: what is hashed by it is in the same order in every run."""
        self._numbers += 1
        return self._numbers

    # Processes.

    def pause(self, process: Process) -> None:
        """Nothing of it runs until it is resumed; what is due meanwhile waits."""
        if process.life is Life.RUNNING:
            process.life = Life.PAUSED

    def resume(self, process: Process) -> None:
        """Runs on, with all that came due meanwhile."""
        if process.life is not Life.PAUSED:
            return
        process.life = Life.RUNNING
        # They came before everything that is ready now.
        parked = cast(list[Place], process.parked.copy())
        process.parked.clear()
        if self._schedule is None:
            self._fifo.extendleft(handle for _rank, _arrival, handle in reversed(parked))
        else:
            for place in parked:
                heappush(self._ranked, place)

    def spawn(self, process: Process, main: Coroutine[Any, Any, Any]) -> SimTask:
        """Starts a task that belongs to the process, as will whatever it starts."""
        if process not in self._buried:
            self._buried[process] = ()
            process.at_death(lambda: self._bury(process))
        return self.create_task(main, name=process.name, context=process.context.copy())

    def _bury(self, process: Process) -> None:
        """Keeps the tasks of a dead process: one that nobody holds would run its finally blocks
        at once, under the name of whoever runs then."""
        self._buried[process] = tuple(t for t in self.unfinished() if t.process is process)

    def unfinished(self) -> list[SimTask]:
        """Every task that has not ended, in the order of creation: `asyncio.all_tasks`, which
        looks at the tasks of all loops there ever were, at a fraction of the cost."""
        alive = [task for made in self._made if (task := made()) is not None and not task.done()]
        self._made = [weakref.ref(task) for task in alive]
        return alive

    # What asyncio asks for.

    def time(self) -> float:
        return self._now_s

    def time_us(self) -> int:
        """The time in whole microseconds."""
        return int(self._now_s * 1e6)

    def call_soon(  # type: ignore[override] # our handles are slimmer than asyncio's
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        if context is None:
            context, process = copy_context(), PROCESS.get()
        else:
            process = context.get(PROCESS)
        handle = Handle(callback, args, context, process)
        self._fifo.append(handle)
        return handle

    def call_next(self, process: Process, callback: Callable[..., object], *args: Any) -> None:
        """`call_soon` in a process, as the last thing that a callback does: where nothing else is
        ready, it would run next whatever the schedule says, and so it runs at once."""
        context = process.context.copy()
        if self._fifo or self._ranked or process.life is not RUNNING:
            self.call_soon(callback, *args, context=context)
        else:
            context.run(callback, *args)

    def run_errand(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Begins it here and now, in the process whose code runs, as the last thing that a callback
        in a context of its own does; a schedule takes it for a task."""
        process = PROCESS.get()
        if self._schedule is not None and self._schedule.by_task:
            TASK.set(self._number_task(process))
        errand = Errand(coroutine, self._errands.pop)
        self._errands[errand] = process
        errand()

    def _number_task(self, process: Process | None) -> int:
        owner = "" if process is None else process.name
        number = self._tasks_of[owner] = self._tasks_of.get(owner, 0) + 1
        return number

    call_soon_threadsafe = call_soon  # type: ignore[assignment] # there is but one thread

    def call_later(  # type: ignore[override] # our handles are slimmer than asyncio's
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        # What `call_at` does, written out: nothing is called more often.
        when = self._now_s + delay
        if context is None:
            context, process = copy_context(), PROCESS.get()
        else:
            process = context.get(PROCESS)
        handle = Handle(callback, args, context, process, when)
        self._timers_set += 1
        heappush(self._timers, (when, self._timers_set, handle))
        return handle

    def call_at(  # type: ignore[override] # our handles are slimmer than asyncio's
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        if context is None:
            context, process = copy_context(), PROCESS.get()
        else:
            process = context.get(PROCESS)
        handle = Handle(callback, args, context, process, when)
        self._timers_set += 1
        heappush(self._timers, (when, self._timers_set, handle))
        return handle

    def create_future(self) -> SimFuture:
        return SimFuture(loop=self)

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: object = None,
        context: contextvars.Context | None = None,
    ) -> SimTask:
        if self._closed:
            coro.close()
            raise RuntimeError("the event loop is closed")
        process = PROCESS.get() if context is None else context.get(PROCESS)
        if self._schedule is not None and self._schedule.by_task:
            context = copy_context() if context is None else context
            context.run(TASK.set, self._number_task(process))
        if name is None:
            # Named by its owner: left to itself asyncio counts names over all loops.
            name = "lab" if process is None else process.name
        task = SimTask(coro, loop=self, name=str(name), context=context, process=process)
        self._made.append(weakref.ref(task))
        return task

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def stop(self) -> None:
        self._stopping = True

    get_debug = staticmethod(bool)  # False; every future asks

    def set_debug(self, enabled: bool) -> None:
        """There is nothing to debug in here that is not deterministic already."""

    def get_task_factory(self) -> None:
        return None

    def get_exception_handler(self) -> None:
        return None

    def set_exception_handler(self, handler: object) -> None:
        """What nobody caught is the lab's to see, in `unhandled`."""

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.unhandled.append(context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, NotSimulated | SimulationError):
            self.fail(error)
        elif not self._closed and not isinstance(error, ProcessKilled):
            self.unhandled.append(context)

    def close(self) -> None:
        """Ends every process and every coroutine that is left; nothing it still does has any
        effect."""
        if self._closed:
            return
        self._closed = True
        self._fifo.clear()
        self._ranked.clear()
        self._timers.clear()
        tasks = self.unfinished()
        for task in tasks:
            if task.process is not None:
                task.process.life = Life.DEAD
        for process in self._errands.values():
            if process is not None:
                process.life = Life.DEAD
        # The end of a task does not end what a generator of its waits for: that would complain when
        # it is freed. What was begun last is the innermost.
        for made, process in reversed(tuple(self._generators.values())):
            generator: Any = made()
            if generator is not None and generator.ag_await is not None:
                _close(generator.ag_await, process)
        for task in tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            _close(cast(Coroutine[Any, Any, Any], task.get_coro()), task.process)
        for errand, process in self._errands.items():
            _close(errand.coroutine, process)
        self._errands.clear()
        self._fifo.clear()
        self._ranked.clear()
        self._timers.clear()
        # Else a loop that somebody still holds would keep every actor alive.
        self._buried.clear()
        self._left.clear()
        self.network = self.on_exit = None

    async def shutdown_asyncgens(self) -> None:
        """Asynchronous generators end with their tasks."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""

    def set_default_executor(self, executor: object) -> None:
        """There are no threads to choose from."""

    def run_in_executor(  # type: ignore[override]
        self,
        executor: object,  # noqa: ARG002 - no executor is any faster in virtual time
        func: Callable[..., Any],
        *args: Any,
    ) -> asyncio.Future[Any]:
        """Runs it here and now, in the process that asks."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever awaits it is told
            done.set_exception(error)
        return done

    # Sockets.

    async def create_server(self, protocol_factory: Any, *args: Any, **named: Any) -> Any:
        return await self._need_network("create_server").listen(protocol_factory, *args, **named)

    async def create_connection(self, protocol_factory: Any, *args: Any, **named: Any) -> Any:
        return await self._need_network("create_connection").connect(
            protocol_factory, *args, **named
        )

    async def sock_connect(self, sock: Any, address: Any) -> None:
        await self._need_network("sock_connect").connect_socket(sock, address)

    async def getaddrinfo(self, host: Any, port: Any, **named: Any) -> Any:
        return self._need_network("getaddrinfo").resolve(host, port, **named)

    def _need_network(self, what: str) -> Network:
        if self.network is None:
            refuse(f"{what}: this run has no simulated sockets; choose fidelity socket")
        return self.network

    def add_signal_handler(self, *_args: Any) -> None:  # type: ignore[override] # takes anything
        """Simulated processes get no signals; they are killed."""

    def remove_signal_handler(self, *_args: Any) -> bool:
        return False


def running_loop() -> SimLoop:
    """The loop of the simulation that runs in this thread."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimLoop)
    return loop


def _close(coroutine: Coroutine[Any, Any, Any], process: Process | None) -> None:
    """Ends it under the name of its process."""
    context = NEUTRAL if process is None else process.context
    # The dead may not complain.
    with contextlib.suppress(Exception, ProcessKilled, asyncio.CancelledError):
        context.copy().run(coroutine.close)


def _who_waits(loop: SimLoop) -> str:
    """Every task that waits, with its process and the line it waits at."""
    lines = []
    for task in loop.unfinished():
        if task.process is not None and not task.process.alive:
            continue
        stack = task.get_stack(limit=1)
        place = f"{stack[0].f_code.co_qualname}:{stack[0].f_lineno}" if stack else "nowhere"
        lines.append(f"{task.get_name()} at {place}")
    shown = "; ".join(lines[:WAITING_SHOWN_MAX]) or "nobody"
    more = f"; and {len(lines) - WAITING_SHOWN_MAX} more" if len(lines) > WAITING_SHOWN_MAX else ""
    return shown + more
