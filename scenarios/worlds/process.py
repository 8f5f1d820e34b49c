"""One actor as a real process: started, asked over its standard streams, killed, paused, ended."""

from __future__ import annotations

import asyncio
import fcntl
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from chaos.parent_death import die_with_parent
from scenarios.worlds.world import ActorGone, EnvironmentFailed

STOP_S_MAX = 10.0
"""How long a graceful stop may take before the process is killed."""
LINE_BYTES_MAX = 4 * 1024 * 1024
TAIL_BYTES = 2_000
RUBBISH_SHOWN_MAX = 200
"""Bytes of a line that is no answer."""


class ActorProcess:
    """A child process whose death is noticed, and which dies with the lab."""

    def __init__(
        self,
        actor: str,
        argv: Sequence[str],
        *,
        log: Path,
        cwd: Path,
        environ: Mapping[str, str],
        on_exit: Callable[[ActorProcess], None],
        on_rubbish: Callable[[ActorProcess], None] = lambda _process: None,
    ) -> None:
        """`on_rubbish` is told when it first prints a line that answers nothing."""
        self.actor = actor
        self.rubbish = 0
        self.rubbish_words = ""
        """The first of it."""
        self.ended_by_lab = False
        self.why_ended = ""
        """Its status says all that is known."""
        self._on_rubbish = on_rubbish
        self._argv = argv
        self._log = log
        self._cwd = cwd
        self._environ = environ
        self._on_exit = on_exit
        self._process: asyncio.subprocess.Process | None = None
        self._answers: dict[object, asyncio.Future[dict[str, object]]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._paused = False

    async def start(self) -> None:
        """Raises `EnvironmentFailed` when the program cannot be started."""
        with self._log.open("ab") as log:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._argv,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    cwd=self._cwd,
                    env=dict(self._environ),
                    limit=LINE_BYTES_MAX,
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                )
            except OSError as error:
                raise EnvironmentFailed(f"{self.actor} cannot be started: {error}") from error
        self._reader = asyncio.create_task(self._read_answers(self._process))

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """None before it was started."""
        return None if self._process is None else self._process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative for a signal, as everywhere in Python."""
        return None if self._process is None else self._process.returncode

    async def ask(self, request: Mapping[str, object], timeout_s: float) -> dict[str, object]:
        """Sends one request line and waits for the line that answers its id.

        Raises `ActorGone` when the process dies first, `TimeoutError` after `timeout_s`.
        """
        process = self._process
        if process is None or process.returncode is not None or process.stdin is None:
            raise ActorGone(f"{self.actor} is not running")
        future: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
        self._answers[request["id"]] = future
        try:
            process.stdin.write(msgspec.json.encode(request) + b"\n")
            await process.stdin.drain()
            async with asyncio.timeout(timeout_s):
                return await future
        except ConnectionError as error:
            raise ActorGone(f"{self.actor} closed its input") from error
        finally:
            self._answers.pop(request["id"], None)
            if future.done() and not future.cancelled():
                future.exception()  # seen, also where the write failed first

    async def ends(self, within_s: float) -> bool:
        """Waits for it to end by itself; whether it did."""
        try:
            async with asyncio.timeout(within_s):
                await self._gone()
        except TimeoutError:
            return False
        return True

    async def kill(self) -> None:
        """kill -9, and waits until it is gone."""
        self.ended_by_lab = True
        self._signal(signal.SIGKILL)
        await self._gone()

    async def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)
        self._paused = True

    @property
    def paused(self) -> bool:
        """Whether it was stopped by a signal, and not resumed."""
        return self._paused

    async def resume(self) -> None:
        """SIGCONT; nothing happens where it was not paused."""
        if self._paused:
            self._signal(signal.SIGCONT)
            self._paused = False

    async def stop(self) -> bool:
        """SIGTERM and the end of its input; killed when it takes longer than STOP_S_MAX.

        Says whether it ended by itself.
        """
        self.ended_by_lab = True
        await self.resume()
        self._signal(signal.SIGTERM)
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        if await self.ends(STOP_S_MAX):
            return True
        await self.kill()
        return False

    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        try:
            return self._log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()
        except OSError:
            return ""

    def _signal(self, number: signal.Signals) -> None:
        # To its whole group, since a command may start others. Until asyncio has reaped the child
        # the id cannot be another's.
        if self._process is not None and self._process.returncode is None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return

    async def _gone(self) -> None:
        if self._process is not None:
            await self._process.wait()
        if self._reader is not None:
            # Not awaited itself: who waits no longer must not end the reading.
            await asyncio.wait([self._reader])

    async def _read_answers(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                self._take(line)
        except ValueError:
            # A line longer than LINE_BYTES_MAX: no answer of the protocol is.
            self._note_rubbish(b"a line of more than %d bytes" % LINE_BYTES_MAX)
            self._signal(signal.SIGKILL)
        await process.wait()
        gone = ActorGone(f"{self.actor} exited with status {process.returncode}")
        for future in self._answers.values():
            if not future.done():
                future.set_exception(gone)
        if process.stdin is not None:
            process.stdin.close()
        self._on_exit(self)

    def _take(self, line: bytes) -> None:
        try:
            answer = msgspec.json.decode(line, type=dict[str, object])
        except msgspec.DecodeError:
            self._note_rubbish(line)
            return
        future = self._answers.get(answer.get("id"))
        if future is None or future.done():
            self._note_rubbish(line)
        else:
            future.set_result(answer)

    def _note_rubbish(self, line: bytes) -> None:
        self.rubbish += 1
        if self.rubbish == 1:
            self.rubbish_words = repr(line[:RUBBISH_SHOWN_MAX].decode(errors="replace").strip())
            self._on_rubbish(self)


def end_with_the_lab() -> None:
    """In a worker of `multiprocessing`, whose parent is not the lab. However the lab dies, its end
    of a pipe is closed then, of which the kernel tells by SIGIO, and that ends a process."""
    lab = multiprocessing.parent_process()
    if lab is not None:
        fcntl.fcntl(lab.sentinel, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(lab.sentinel, fcntl.F_GETFL)
        fcntl.fcntl(lab.sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
