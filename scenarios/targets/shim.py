"""Runs one registration function in a process of its own: requests in, answers out, as JSON lines.

    python shim.py FILE.py:function | FOLDER:module:function | module:function

Needs only the standard library, so that it runs under any interpreter (3.8 and later). In:
`{"id", "op": "register", "ticket", "trade", "api_url", "timeout_s", "retry_count"}`; out:
`{"id", "registered": true|false|null, "detail"}`. Async functions share one event loop; plain
functions get a thread each. What the function prints goes to standard error, so that it cannot
break the protocol. Ends when its input ends; with status REFUSED, before it reads any, where there
is no function that can be called as the helper is.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, TextIO

THREADS_MAX = 64
REFUSED = 2
"""The exit status that says that the target cannot be one; the last line of standard error, behind
SENTENCE, says why."""
SENTENCE = "refused: "
MAIN = "target_under_test"
"""The module that a FILE.py is."""
LAB = ("core", "simulator", "chaos", "scenarios", "loadtests", "dtms_lab", "tests")
"""The lab's packages. A target that has one of this name means its own."""


def main() -> int:
    if len(sys.argv) != 2 or ":" not in sys.argv[1]:
        sys.stderr.write("usage: shim.py FILE.py:function\n")
        return REFUSED
    leave_own_folder()
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    try:
        function = load(sys.argv[1])
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a module raises
        return refuse(not_imported(error))
    why = why_not_called(function, (1001, {}), HELPER)
    if why:
        return refuse(why)
    asyncio.run(serve(function, answers))
    return 0


def parse(location: str) -> tuple[str, str, str]:
    """The folder that is looked through first, empty where none is named; FILE.py or the module;
    and the function's name."""
    place, _, name = location.rpartition(":")
    if place.endswith(".py"):
        return os.path.dirname(os.path.abspath(place)), place, name  # noqa: PTH100, PTH120
    folder, _, module = place.rpartition(":")
    return folder, module, name


def load(location: str) -> Callable[..., Any]:
    """The function at `location`. What is in the target's own folder is importable from it. Raises
    whatever the module raises."""
    folder, place, name = parse(location)
    own = [folder or os.getcwd()]  # noqa: PTH109
    sys.path[:0] = own
    own += filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.meta_path.insert(0, OwnBeforeTheLabs(own))
    module = run_file(place) if place.endswith(".py") else importlib.import_module(place)
    return getattr(module, name)  # type: ignore[no-any-return]


def run_file(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(MAIN, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and the like look their module up while it runs.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class OwnBeforeTheLabs:
    """A finder. Where the lab is installed, its packages would be found before folders of the
    same name that have no `__init__.py`."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:  # noqa: ARG002
        return find_own(name, self._folders) if path is None and name in LAB else None


def find_own(name: str, folders: Sequence[str]) -> ModuleSpec | None:
    """The top-level module in these folders. A mere folder is one only where nothing that is
    installed bears its name, or what does is the lab's."""
    if name in sys.builtin_module_names:
        return None
    spec = PathFinder.find_spec(name, folders)
    if spec is None or spec.loader is not None or name in LAB:
        return spec
    elsewhere = PathFinder.find_spec(name)
    return spec if elsewhere is None or elsewhere.loader is None else None


def leave_own_folder() -> None:
    """What lies beside this file is not for the target: Python puts the folder of a program where
    its modules are looked for first."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != here]  # noqa: PTH100


HELPER = {"retry_count": 3, "timeout": 5.0, "api_url": "http://127.0.0.1:8001"}


def why_not_called(function: Any, given: Sequence[object], named: Mapping[str, object]) -> str:
    """Why it cannot be called with these arguments, in a sentence; empty where it can."""
    if not callable(function):
        return f"is no function but a {type(function).__name__}"
    try:
        signature = inspect.signature(function)
    except ValueError:  # some that are built in do not tell
        return ""
    try:
        signature.bind(*given, **named)
    except TypeError as error:
        return f"takes {signature}, and cannot be called so: {error}"
    return ""


def not_imported(error: BaseException) -> str:
    """Told with its traceback on standard error."""
    told = error.__traceback__
    while told is not None and told.tb_frame.f_code.co_filename.startswith((__file__, "<frozen")):
        told = told.tb_next
    traceback.print_exception(type(error), error, told)
    return f"cannot be imported: {type(error).__name__}: {error}"


def refuse(why: str) -> int:
    sys.stderr.write("{}{}\n".format(SENTENCE, " ".join(why.split())))
    return REFUSED


async def serve(function: Callable[..., Any], answers: TextIO) -> None:
    """Answers each request line with one answer line, in whatever order they finish."""
    loop = asyncio.get_running_loop()
    requests: asyncio.Queue[str | None] = asyncio.Queue()
    reader = threading.Thread(target=read, args=(loop, requests), daemon=True)
    reader.start()
    running: set[asyncio.Task[None]] = set()
    pool = ThreadPoolExecutor(THREADS_MAX)
    while True:
        line = await requests.get()
        if line is None:
            break
        task = loop.create_task(answer(function, json.loads(line), answers, pool))
        running.add(task)
        task.add_done_callback(running.discard)
    # Threads of the target that still run must not keep a process whose input has ended.
    answers.flush()
    sys.stderr.flush()
    os._exit(0)


def read(loop: asyncio.AbstractEventLoop, requests: asyncio.Queue[str | None]) -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(requests.put_nowait, line)
    loop.call_soon_threadsafe(requests.put_nowait, None)


async def answer(
    function: Callable[..., Any],
    request: dict[str, Any],
    answers: TextIO,
    pool: ThreadPoolExecutor,
) -> None:
    answers.write(json.dumps(await told(function, request, pool)) + "\n")


async def told(
    function: Callable[..., Any], request: Mapping[str, Any], pool: ThreadPoolExecutor | None
) -> dict[str, Any]:
    """What is answered to one request; without a pool, plain functions get the loop's."""
    reply: dict[str, Any] = {"id": request.get("id"), "registered": None, "detail": ""}
    try:
        if request.get("op") != "register":
            reply["detail"] = "unknown op"
        else:
            reply["registered"] = await call(function, request, pool)
    except Exception as error:  # noqa: BLE001 - a raise into the caller is a finding, told as such
        reply["detail"] = f"raised {type(error).__name__}: {error}"
    if not any(reply["registered"] is known for known in (True, False, None)):
        reply["detail"] = "answered {!r}".format(reply["registered"])
        reply["registered"] = None
    return reply


async def call(
    function: Callable[..., Any], request: Mapping[str, Any], pool: ThreadPoolExecutor | None
) -> Any:
    arguments = {
        "retry_count": request["retry_count"],
        "timeout": request["timeout_s"],
        "api_url": request["api_url"],
    }
    if inspect.iscoroutinefunction(function):
        return await function(request["ticket"], request["trade"], **arguments)
    loop = asyncio.get_running_loop()
    result = await loop.run_in_executor(
        pool, lambda: function(request["ticket"], request["trade"], **arguments)
    )
    return await result if inspect.isawaitable(result) else result


if __name__ == "__main__":
    sys.exit(main())
