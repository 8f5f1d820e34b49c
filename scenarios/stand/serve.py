"""The lab's side of the pytest plugin: JSON lines on the standard streams, a stand for each test.

    serve PARENT_PID WORK_FOLDER FOLDER...

In: `{"id", "do", ...}`; out: `{"id", "done"}`, or `{"id", "refused": sentence}` for what makes no
sense, or `{"id", "broke": sentence}` where the lab could not do its part. `{"do": "cancel", "of"}`
ends a request that nobody waits for any more. Requests run beside each other. Ends with its input,
or with its parent, and leaves no process behind, nor its work folder. FOLDERS are where the test's
own modules are.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from random import Random
from typing import IO, Any

import msgspec

from scenarios.explain import explain, tell
from scenarios.history import History
from scenarios.import_path import lab_environ, target_environ
from scenarios.output import word
from scenarios.stand.named_fault import FaultUnknown
from scenarios.stand.put_through import Asked, put_through
from scenarios.stand.stand import Judgement, Refused, Stand
from scenarios.targets.spec import TargetRefused, server_target
from scenarios.worlds.ports import Ports
from scenarios.worlds.world import EnvironmentFailed

LINE_BYTES_MAX = 16 * 1024 * 1024
PARENT_POLL_S = 1.0
"""How soon its parent's death is noticed where somebody else holds the input open."""
STANDS_MAX = 64
TOLD_MAX = 40
"""How many operations are shown of a test that failed by itself."""


class Serving:
    """Every stand that is open, and the work that is under way."""

    def __init__(self, answers: IO[bytes], folder: Path) -> None:
        self._answers = answers
        self._folder = folder
        self._ports = Ports(Random())
        self._stands: dict[int, Stand] = {}
        self._running: dict[object, asyncio.Task[None]] = {}

    async def serve(self, requests: asyncio.StreamReader) -> None:
        """Until the input ends."""
        while line := await requests.readline():
            request = msgspec.json.decode(line, type=dict[str, Any])
            if request["do"] == "cancel":
                if (task := self._running.get(request["of"])) is not None:
                    task.cancel()
                continue
            task = asyncio.create_task(self._answer(request))
            self._running[request["id"]] = task
            task.add_done_callback(partial(self._forget, request["id"]))

    async def aclose(self) -> None:
        """Ends what runs, and closes every stand."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        stands = list(self._stands.values())
        await asyncio.gather(*(stand.aclose() for stand in stands), return_exceptions=True)

    def _forget(self, number: object, _done: asyncio.Task[None]) -> None:
        self._running.pop(number, None)

    async def _answer(self, request: dict[str, Any]) -> None:
        number, do = request.pop("id"), request.pop("do")
        try:
            answer = {"id": number, "done": await _DOING[do](self, **request)}
        except (Refused, FaultUnknown, TargetRefused) as error:
            answer = {"id": number, "refused": str(error)}
        except EnvironmentFailed as error:
            answer = {"id": number, "broke": str(error)}
        except Exception as error:  # noqa: BLE001 - told to whoever asked, who waits for an answer
            answer = {"id": number, "broke": f"{type(error).__name__}: {error}"}
        self._answers.write(msgspec.json.encode(answer) + b"\n")
        self._answers.flush()

    async def open(self, stand: int, name: str, server: str) -> dict[str, str]:
        if len(self._stands) >= STANDS_MAX:
            raise Refused(f"{STANDS_MAX} servers run already; close some")
        opened = Stand(
            name,
            server_target(server),
            folder=self._folder / f"stand-{stand}",
            ports=self._ports,
        )
        self._stands[stand] = opened
        try:
            await opened.open()
        except BaseException:
            await self.close(stand)
            raise
        return {"url": opened.url, "direct_url": opened.direct_url}

    async def close(self, stand: int) -> None:
        if (opened := self._stands.pop(stand, None)) is not None:
            try:
                await opened.aclose()
            finally:
                shutil.rmtree(self._folder / f"stand-{stand}", ignore_errors=True)

    async def control(self, stand: int, how: str) -> None:
        await getattr(self._stands[stand], how)()

    async def trade(self, stand: int, ticket: int) -> object:
        return await self._stands[stand].trade(ticket)

    async def inflict(
        self, stand: int, name: str, values: dict[str, Any], for_s: Any, after: Any
    ) -> int:
        return await self._stands[stand].inflict(name, values, for_s=for_s, after=after)

    async def heal(self, stand: int, fault: int | None) -> None:
        await self._stands[stand].heal(fault)

    async def execute(self, stand: int, ticket: int, trade: dict[str, Any]) -> None:
        await self._stands[stand].execute(ticket, trade)

    async def close_position(self, stand: int, ticket: int) -> None:
        await self._stands[stand].close_position(ticket)

    async def url_for(self, stand: int, service: str) -> str:
        return await self._stands[stand].url_for(service)

    async def begin(self, stand: int, ticket: int, trade: dict[str, Any], service: str) -> int:
        return await self._stands[stand].begin(ticket, trade, service)

    async def end(self, stand: int, call: int, reported: bool | None, words: str) -> None:
        self._stands[stand].end(call, reported, words)

    async def allow(self, stand: int, values: dict[str, Any]) -> None:
        self._stands[stand].allow(values)

    async def judge(
        self, stand: int, checkers: list[str], settle_s: Any, keep: str
    ) -> dict[str, object]:
        judgement = await self._stands[stand].judge(tuple(checkers), settle_s)
        return _told(judgement, Path(keep))

    async def tell(self, stand: int) -> str:
        """Without the first line, which tells the test what it knows."""
        return tell(History(self._stands[stand].history().ops[1:]), TOLD_MAX)

    async def put_through(self, folder: str, **asked: Any) -> dict[str, Any]:
        names, seeds = tuple(asked.pop("names")), asked.pop("seeds")
        seeds = None if seeds is None else tuple(seeds)
        try:
            told = Asked(names, seeds=seeds, **asked)
            return asdict(await put_through(told, Path(folder)))
        except (KeyError, ValueError) as error:
            raise Refused(str(error.args[0])) from error


_DOING: dict[str, Callable[..., Awaitable[object]]] = {
    do.__name__: do
    for do in (
        Serving.open,
        Serving.close,
        Serving.control,
        Serving.trade,
        Serving.inflict,
        Serving.heal,
        Serving.execute,
        Serving.close_position,
        Serving.url_for,
        Serving.begin,
        Serving.end,
        Serving.allow,
        Serving.judge,
        Serving.tell,
        Serving.put_through,
    )
}


def _told(judgement: Judgement, keep: Path) -> dict[str, object]:
    failure, history = judgement.failure, judgement.history
    if failure:
        keep.parent.mkdir(parents=True, exist_ok=True)
        keep.write_bytes(history.encode())
        failure = f"{failure}\njudge it again: dtms-lab check {keep}"
    return {
        "verdicts": {
            name: {"verdict": word(v), "why": v.why, "told": explain(name, v, history)}
            for name, v in judgement.verdicts.items()
        },
        "failure": failure,
    }


async def run(parent: int, folder: Path, answers: IO[bytes]) -> None:
    """Serves until the input ends or the parent is another process."""
    loop = asyncio.get_running_loop()
    requests = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    serving = Serving(answers, folder)
    work = [
        asyncio.ensure_future(serving.serve(requests)),
        asyncio.ensure_future(_orphaned(parent)),
    ]
    loop.add_signal_handler(signal.SIGTERM, work[0].cancel)
    try:
        await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in work:
            task.cancel()
        await serving.aclose()


async def _orphaned(parent: int) -> None:
    while True:
        await asyncio.sleep(PARENT_POLL_S)
        if os.getppid() != parent:
            return


def _look_where_the_tests_do(folders: Sequence[str]) -> None:
    """Programs under test find the test's own modules; the lab and its workers find the lab's."""
    given = target_environ(os.environ)
    path = [*folders, *filter(None, [given.get("PYTHONPATH")])]
    if path:
        given["PYTHONPATH"] = os.pathsep.join(path)
    os.environ.update(lab_environ(given))


def main() -> None:
    """See the top of the file."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    parent, folder = int(sys.argv[1]), sys.argv[2]
    _look_where_the_tests_do(sys.argv[3:])
    # Whatever else makes files makes them there.
    tempfile.tempdir = os.environ["TMPDIR"] = folder
    try:
        with contextlib.suppress(BrokenPipeError):
            asyncio.run(run(parent, Path(folder), answers))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
