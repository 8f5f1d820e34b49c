"""Catches simulated code that reaches for the machine, and names what it wanted.

Real sockets, threads, blocking sleeps, other programs and files that are not its own would make a
run depend on more than its seed. They are refused loudly: `NotSimulated` ends the run. The lab's
own code, which belongs to no process, may do as it likes, and so may every other thread.

Most is seen by an audit hook (`sys.addaudithook`). A hook can never be taken out again; outside
runs this one returns at once. What it does not see: extension modules that call the system
themselves, SQLite's own files apart from the database's name, and reads below `sys.path` and the
interpreter's folders, which importing needs.
"""

from __future__ import annotations

import _thread
import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, SupportsIndex

from simulator.deterministic.process import Process, current_process
from simulator.deterministic.real import refuse

READABLE = ("/dev/null", "/usr/share/zoneinfo", "/etc/localtime", "/etc/mime.types")
"""What libraries read besides their own files, and what says the same in every run."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
SOCKETS = (
    "socket.__new__",
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.sendto",
)
PROGRAMS = (
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.kill",
    "os.killpg",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "pty.spawn",
    "subprocess.Popen",
)
CHANGES = (
    "os.chmod",
    "os.chown",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
    "shutil.move",
    "shutil.rmtree",
)
"""Events that name what is changed first."""

_real_sleep, _real_exit = time.sleep, os._exit
_STARTS: tuple[tuple[ModuleType, str, Callable[..., Any]], ...] = tuple(
    (module, name, getattr(module, name))
    for module, name in (
        (_thread, "start_new_thread"),
        (_thread, "start_joinable_thread"),
        (threading, "_start_new_thread"),
        (threading, "_start_joinable_thread"),
    )
    if hasattr(module, name)
)
"""By what threads are started; which of it is there depends on the version of Python."""


class Guard:
    """Watches while it is entered. One at a time."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}
        self._readable: tuple[str, ...] = ()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """In force inside."""
        global _watching
        _hook_in()
        before = _watching
        _watching = self
        time.sleep, os._exit = _sleep, _exit
        for module, name, real in _STARTS:
            setattr(module, name, partial(_start, real))
        try:
            yield
        finally:
            time.sleep, os._exit = _real_sleep, _real_exit
            for module, name, real in _STARTS:
                setattr(module, name, real)
            _watching = before

    def allow(self, actor: str, folder: Path) -> None:
        """The processes of the actor may read and write below `folder`."""
        self._folders[actor] = f"{folder.resolve()}{os.sep}"

    def allow_reading(self, folder: Path) -> None:
        """Every process may read below `folder`."""
        below = f"{folder.absolute()}{os.sep}"
        if below not in self._readable:
            self._readable += (below,)

    def is_own(self, process: Process, path: str) -> bool:
        """Whether it is in a folder that the process may write to."""
        folder = self._folders.get(process.name)
        return folder is not None and f"{path}{os.sep}".startswith(folder)


_watching: Guard | None = None
_hooked = False


def _hook_in() -> None:
    global _hooked
    if not _hooked:
        _hooked = True
        sys.addaudithook(_hear)


def _hear(event: str, args: tuple[Any, ...]) -> None:
    guard = _watching
    if guard is None:
        return
    judge = _JUDGES.get(event)
    if judge is None:
        return
    process = current_process()
    if process is not None:
        judge(guard, process, event, args)


# CPython hides an audit hook from debuggers and coverage unless it says that it may be seen.
_hear.__cantrace__ = True  # type: ignore[attr-defined]


def _refuse(_guard: Guard, _process: Process, event: str, args: tuple[Any, ...]) -> NoReturn:
    kind = "a real socket" if event in SOCKETS else "another program"
    shown = ", ".join(str(arg) for arg in args if isinstance(arg, str | bytes | tuple))
    refuse(f"{kind} ({event}{': ' if shown else ''}{shown})")


def _judge_open(guard: Guard, process: Process, _event: str, args: tuple[Any, ...]) -> None:
    path, _mode, flags = args
    if isinstance(path, int):
        return
    name = _absolute(path)
    if guard.is_own(process, name) or name == os.devnull:
        return
    if flags & WRITES:
        refuse(f"a file of the machine (open for writing: {name})")
    allowed = (*READABLE, sys.prefix, sys.base_prefix, *guard._readable, *_sources())
    if not name.startswith(allowed):
        refuse(f"a file of the machine (open: {name})")


def _judge_change(guard: Guard, process: Process, event: str, args: tuple[Any, ...]) -> None:
    name = _absolute(args[0]) if not isinstance(args[0], int) else str(args[0])
    if not guard.is_own(process, name):
        refuse(f"a file of the machine ({event}: {name})")


def _judge_database(guard: Guard, process: Process, _event: str, args: tuple[Any, ...]) -> None:
    database = args[0]
    if database in {":memory:", b":memory:", ""}:
        return
    name = os.fsdecode(database)
    if name.startswith("file:"):
        name = name.removeprefix("file:").partition("?")[0]
    if not guard.is_own(process, _absolute(name)):
        refuse(f"a file of the machine (sqlite3.connect: {name})")


def _keep_database(_guard: Guard, process: Process, _event: str, args: tuple[Any, ...]) -> None:
    """The system takes a dead process's files and locks from it."""
    process.at_death(args[0].close)


_JUDGES: dict[str, Callable[[Guard, Process, str, tuple[Any, ...]], None]] = {
    **dict.fromkeys((*SOCKETS, *PROGRAMS), _refuse),
    **dict.fromkeys(CHANGES, _judge_change),
    "open": _judge_open,
    "sqlite3.connect": _judge_database,
    "sqlite3.connect/handle": _keep_database,
}


def _absolute(path: Any) -> str:
    return os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - for each file that is opened


def _sources() -> tuple[str, ...]:
    return tuple(os.path.abspath(folder) for folder in sys.path)  # noqa: PTH100 - as above


def _sleep(seconds: float | SupportsIndex) -> None:
    if current_process() is not None:
        refuse(f"a blocking sleep (time.sleep of {seconds} s)")
    _real_sleep(seconds)


def _exit(status: int) -> NoReturn:
    """Ends no more than the simulated process, and that at once, whatever its code would catch."""
    process = current_process()
    if process is None:
        _real_exit(status)
    ended = SystemExit(status)
    on_exit = getattr(asyncio._get_running_loop(), "on_exit", None)
    if on_exit is not None:
        on_exit(process, ended)
    process.stop_if_dead()
    raise ended


def _start(real: Callable[..., Any], *args: Any, **named: Any) -> Any:
    if current_process() is not None:
        refuse("a thread")
    return real(*args, **named)
