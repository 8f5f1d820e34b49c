"""Toxiproxy's real server: started on free ports, watched, started anew when it dies or hangs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from chaos.parent_death import die_with_parent
from chaos.toxiproxy.client import ToxiproxyClient
from chaos.toxiproxy.control import Control
from chaos.toxiproxy.errors import ServerUnreachable, ToxiproxyError

START_S_MAX: Final = 10.0
PROBE_S: Final = 0.5
"""Between two looks at whether it lives."""
PROBE_TIMEOUT_S: Final = 2.0
POLL_S: Final = 0.01
"""Between two looks at whether it is up."""
REVIVALS_MAX: Final = 10
"""How often it is started anew before it is given up."""
STARTS_MAX: Final = 3
"""Attempts to find an API port that nobody takes in between."""


@dataclass(frozen=True, slots=True)
class Incident:
    """The server had to be started anew; whatever went through it meanwhile proves nothing."""

    at_s: float
    """Of the running loop's clock."""
    why: str


class ToxiproxyServer:
    """A server of its own from `async with` on, until its end; nothing of it stays behind.

    `control` is what to use it by. `incidents` lists when it had to be started anew: a run in the
    middle of which that happened is inconclusive. `binary` is `binary.find()`.
    """

    def __init__(self, binary: Path, *, probe_s: float = PROBE_S) -> None:
        self.incidents: list[Incident] = []
        self.control = Control(self)
        self._binary = binary
        self._probe_s = probe_s
        self._process: subprocess.Popen[bytes] | None = None
        self._client: ToxiproxyClient | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def client(self) -> ToxiproxyClient:
        """Of the server as it runs now."""
        assert self._client is not None, "the server runs within its async with"
        return self._client

    @property
    def pid(self) -> int | None:
        """Of the server's process; None where there is none."""
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> ToxiproxyServer:
        """Raises `ServerUnreachable` where it does not start."""
        await self._start()
        self._watching = asyncio.ensure_future(self._watch())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        self._end()

    async def revive(self, why: str) -> None:
        """See `Server`. Raises `ServerUnreachable` once it was started anew too often."""
        if self._process is not None and self._process.poll() is not None:
            why = f"it ended with status {self._process.returncode}"
        self.incidents.append(Incident(asyncio.get_running_loop().time(), why))
        self._end()
        if len(self.incidents) > REVIVALS_MAX:
            raise ServerUnreachable(f"Toxiproxy was started anew {REVIVALS_MAX} times; {why}")
        await self._start()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._probe_s)
            with suppress(ToxiproxyError):  # whoever uses it next is told
                await self.control.hold()

    async def _start(self) -> None:
        for attempt in range(STARTS_MAX):
            try:
                await self._start_on(_free_port())
                return
            except ServerUnreachable:
                self._end()
                if attempt == STARTS_MAX - 1:
                    raise

    async def _start_on(self, port: int) -> None:
        client = ToxiproxyClient("127.0.0.1", port, timeout_s=PROBE_TIMEOUT_S)
        with tempfile.NamedTemporaryFile("w", prefix="dtms-lab-", suffix=".json") as config:
            # A proxy that nobody else can have: on a port that was taken in between it only logs,
            # goes on, and another server answers in its place.
            sign = Path(config.name).name
            upstream = {"listen": "127.0.0.1:0", "upstream": "127.0.0.1:1", "enabled": False}
            json.dump([{"name": sign, **upstream}], config)
            config.flush()
            # In this thread: it dies with the one that starts it.
            self._process = self._spawn(port, config.name)
            try:
                async with asyncio.timeout(START_S_MAX):
                    while not await asyncio.to_thread(self._answers, client, sign):  # noqa: ASYNC110
                        await asyncio.sleep(POLL_S)
            except TimeoutError:
                why = f"it did not answer within {START_S_MAX:.0f} s"
                raise ServerUnreachable(f"Toxiproxy was started, and {why}") from None
            await asyncio.to_thread(client.delete, sign)
        self._client = client

    def _spawn(self, port: int, config: str) -> subprocess.Popen[bytes]:
        argv = [str(self._binary), "-host", "127.0.0.1", "-port", str(port), "-config", config]
        try:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "LOG_LEVEL": "warn"},
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        except OSError as error:
            raise ServerUnreachable(f"{self._binary} cannot be started: {error}") from error

    def _answers(self, client: ToxiproxyClient, sign: str) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise ServerUnreachable(f"it ended with status {self._process.returncode}")
        try:
            return sign in client.proxies()
        except ToxiproxyError:
            return False

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
