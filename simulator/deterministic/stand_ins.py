"""What stands in for this machine while a simulation runs: its clocks, its chance, its sockets.

Libraries take the time, draw and make sockets by themselves. For the length of a run they get the
loop's clock, a seeded generator and sockets of the simulated network, in the thread that runs the
loop; every other thread goes on with the machine's. Put right at the end, whatever happens.

`datetime.now` is not covered: it cannot be exchanged in a class that is built in.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import importlib.util
import itertools
import os
import random
import socket
import ssl
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from types import ModuleType
from typing import Any

from anyio._backends._asyncio import AsyncIOBackend

from simulator.deterministic.real import Sealed
from simulator.deterministic.sockets import SimSocket

CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")
REAL: dict[str, Callable[..., Any]] = {name: getattr(time, name) for name in CLOCKS}
REAL["urandom"] = os.urandom
REAL_SOCKET = socket.socket
HASHED_BY_ADDRESS = (
    ("anyio._backends._asyncio", "CancelScope"),
    ("aiohttp.connector", "ResponseHandler"),
)
"""Classes whose objects libraries keep in sets that they walk through."""

_seen: set[str] = set()
_bindings: list[tuple[ModuleType, str, str]] = []
_numbers: Iterator[int] = itertools.count()


@contextmanager
def stand_ins(
    loop: asyncio.AbstractEventLoop, *, seed: int, beginning_s: float = 0.0
) -> Iterator[None]:
    """In force while `loop` runs in this thread. It is `beginning_s` after the epoch at its 0."""
    with ExitStack() as undo:
        undo.enter_context(warnings.catch_warnings())
        # Who is killed does not close what it holds.
        warnings.simplefilter("ignore", ResourceWarning)
        _collect_later(undo)
        _seed_random(undo, seed)
        _replace_functions(undo, _functions(loop, seed, beginning_s))
        _replace(undo, socket, "socket", StandInSocket)
        _replace(undo, sys, "dont_write_bytecode", True)
        # No stream of the network is encrypted, and reading certificates takes 20 ms.
        _replace(undo, ssl.SSLContext, "load_verify_locations", _load_none)
        _replace(undo, AsyncIOBackend, "run_sync_in_worker_thread", classmethod(_in_no_thread))
        _number_objects(undo)
        _miss_at_once(undo)
        yield


async def _in_no_thread(
    _backend: type[AsyncIOBackend],
    func: Callable[..., Any],
    args: tuple[Any, ...],
    *_: Any,
    **__: Any,
) -> Any:
    """What frameworks do in threads is done here and now; what blocks in it is refused."""
    await asyncio.sleep(0)
    return func(*args)


def _load_none(*_args: Any, **_named: Any) -> None:
    """There is nobody whose certificate could be looked at."""


class _EitherSocket(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, SimSocket | REAL_SOCKET)


class StandInSocket(metaclass=_EitherSocket):
    """`socket.socket` for the length of a run."""

    def __new__(cls, *args: Any, **named: Any) -> Any:
        simulated = isinstance(asyncio._get_running_loop(), Sealed)
        return SimSocket(*args, **named) if simulated else REAL_SOCKET(*args, **named)


def _functions(
    loop: asyncio.AbstractEventLoop, seed: int, beginning_s: float
) -> dict[str, Callable[..., Any]]:
    running = asyncio._get_running_loop
    now = loop.time
    bytes_of = random.Random(f"urandom {seed}").randbytes

    def of_loop(real: Callable[..., Any], told: Callable[..., Any]) -> Callable[..., Any]:
        def stand_in(*args: Any) -> Any:
            return told(*args) if running() is loop else real(*args)

        return stand_in

    told: dict[str, Callable[..., Any]] = {
        "time": lambda: beginning_s + now(),
        "time_ns": lambda: int((beginning_s + now()) * 1e9),
        "monotonic": now,
        "monotonic_ns": lambda: int(now() * 1e9),
        "perf_counter": now,
        "perf_counter_ns": lambda: int(now() * 1e9),
        "urandom": bytes_of,
    }
    return {name: of_loop(real, told[name]) for name, real in REAL.items()}


def _replace(undo: ExitStack, owner: Any, name: str, value: object) -> None:
    own = vars(owner)
    if name in own:
        undo.callback(setattr, owner, name, own[name])
    else:
        undo.callback(delattr, owner, name)
    setattr(owner, name, value)


def _replace_functions(undo: ExitStack, by_name: dict[str, Callable[..., Any]]) -> None:
    """Wherever a module holds one of the functions under a name of its own, too."""
    _look_for_bindings()
    for module, attribute, name in _bindings:
        setattr(module, attribute, by_name[name])

    def restore() -> None:
        # Modules that were first imported meanwhile have bound the stand-ins.
        stand_in_of = {id(stand_in): name for name, stand_in in by_name.items()}
        for module_name in sys.modules.keys() - _seen:
            _look_at(module_name, stand_in_of)
        for module, attribute, name in _bindings:
            setattr(module, attribute, REAL[name])

    undo.callback(restore)


def _look_for_bindings() -> None:
    if len(_seen) != len(sys.modules):
        real_of = {id(real): name for name, real in REAL.items()}
        for module_name in sys.modules.keys() - _seen:
            _look_at(module_name, real_of)


def _look_at(module_name: str, known: dict[int, str]) -> None:
    _seen.add(module_name)
    module = sys.modules.get(module_name)
    if type(module) is not ModuleType or module is sys.modules[__name__]:
        return  # lazy modules load when they are looked at
    for attribute, value in tuple(vars(module).items()):
        name = known.get(id(value))
        if name is not None:
            _bindings.append((module, attribute, name))


def _seed_random(undo: ExitStack, seed: int) -> None:
    undo.callback(random.setstate, random.getstate())
    random.seed(f"random {seed}")


def _collect_later(undo: ExitStack) -> None:
    """Finalizers must not run at a time that depends on what was played before. At the end of a run
    its garbage, which is all young, is collected; who has stopped the collector does that himself.
    """
    if gc.isenabled():
        gc.disable()
        undo.callback(gc.enable)
        undo.callback(gc.collect, 0)


def _miss_at_once(undo: ExitStack) -> None:
    """httpcore looks for this package at each request; where it is missing, on the disk."""
    if "sniffio" not in sys.modules and importlib.util.find_spec("sniffio") is None:
        sys.modules["sniffio"] = None  # type: ignore[assignment]
        undo.callback(sys.modules.pop, "sniffio", None)


def _number_objects(undo: ExitStack) -> None:
    global _numbers
    _numbers = itertools.count()
    for module_name, class_name in HASHED_BY_ADDRESS:
        # Imported now: in the middle of the first run it would be too late for that run.
        module = importlib.import_module(module_name)
        _replace(undo, module, class_name, _numbered(getattr(module, class_name)))


@cache
def _numbered(kind: type) -> type:
    """The same class, whose objects are hashed by when they were first hashed."""

    def in_order(self: Any) -> int:
        try:
            number: int = self._number_in_run
        except AttributeError:
            number = self._number_in_run = next(_numbers)
        return number

    body = {"__slots__": ("_number_in_run",), "__hash__": in_order, "__module__": kind.__module__}
    return type(kind.__name__, (kind,), body)
