"""Runs one registration function in a process of its own: requests in, answers out, as JSON lines.

    python shim.py FILE.py:function | module:function

Needs only the standard library, so that it runs under any interpreter (3.8 and later). In:
`{"id", "op": "register", "ticket", "trade", "api_url", "timeout_s", "retry_count"}`; out:
`{"id", "registered": true|false|null, "detail"}`. Async functions share one event loop; plain
functions get a thread each. What the function prints goes to standard error, so that it cannot
break the protocol. Ends when its input ends.
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
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TextIO

THREADS_MAX = 64


def main() -> int:
    if len(sys.argv) != 2 or ":" not in sys.argv[1]:
        sys.stderr.write("usage: shim.py FILE.py:function\n")
        return 2
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    function = load(sys.argv[1])
    asyncio.run(serve(function, answers))
    return 0


def load(location: str) -> Callable[..., Any]:
    """The function at `location`; its own folder is importable from it."""
    place, _, name = location.rpartition(":")
    if place.endswith(".py"):
        sys.path.insert(0, os.path.dirname(os.path.abspath(place)))  # noqa: PTH100, PTH120
        spec = importlib.util.spec_from_file_location("target_under_test", place)
        if spec is None or spec.loader is None:
            raise ImportError(f"cannot import {place}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    else:
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
        module = importlib.import_module(place)
    return getattr(module, name)  # type: ignore[no-any-return]


async def serve(function: Callable[..., Any], answers: TextIO) -> None:
    """Answers each request line with one answer line, in whatever order they finish."""
    loop = asyncio.get_running_loop()
    requests: asyncio.Queue[str | None] = asyncio.Queue()
    reader = threading.Thread(target=read, args=(loop, requests), daemon=True)
    reader.start()
    running: set[asyncio.Task[None]] = set()
    with ThreadPoolExecutor(THREADS_MAX) as pool:
        while True:
            line = await requests.get()
            if line is None:
                break
            task = loop.create_task(answer(function, json.loads(line), answers, pool))
            running.add(task)
            task.add_done_callback(running.discard)
        for task in list(running):
            task.cancel()
        pool.shutdown(wait=False, cancel_futures=True)
    # Threads of the target that still run must not keep a process whose input has ended.
    answers.flush()
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
