"""One server under test, as checks ask it, start it and kill it."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from scenarios.contract.check import Failed, Undecided
from scenarios.contract.exchange import Exchange, exchange_apart
from scenarios.contract.played import PlayedBroker, PlayedRegistry
from scenarios.targets.spec import ServerTarget
from scenarios.worlds.local import LocalWorld
from scenarios.worlds.local_capabilities import LocalDisks

T = TypeVar("T")
Runs = Callable[[Coroutine[Any, Any, Any]], Any]

READY_S_MAX = 20.0
"""How long a server may take until it is ready, or until it ends, where it must."""
POLL_S = 0.03
LIMITED_TRIES_MAX = 12
SENDERS = 8
LIMITED_S_MAX = 3.0
ENABLE = "/dtms/trade/enable"
JSON = {"Content-Type": "application/json"}


class Server:
    """Asked from the checks' thread; every call is bounded in time."""

    def __init__(
        self,
        world: LocalWorld,
        run: Runs,
        send: Callable[..., Coroutine[Any, Any, Exchange]],
        noted: list[Exchange],
        target: ServerTarget,
    ) -> None:
        self.world = world
        self.target = target
        self.broker = PlayedBroker(world, run)
        self.registry = PlayedRegistry(world, run)
        self._run = run
        self._send = send
        self._noted = noted
        self.base = world.url("dtms")

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        chunked: bool = False,
        limited: bool = False,
        noted: bool = True,
    ) -> Exchange:
        """What came back. A server that runs already may limit rates: it is asked again after its
        Retry-After, unless the answer 429 is what is looked for (`limited`)."""
        for _try in range(LIMITED_TRIES_MAX):
            told: Exchange = self._run(self._send(self.base, method, path, body, headers, chunked))
            if told.status != 429 or limited:
                break
            time.sleep(_retry_after_s(told))
        if noted:
            self._noted.append(told)
        return told

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, *, noted: bool = True
    ) -> Exchange:
        """GET."""
        return self.ask("GET", path, headers=headers, noted=noted)

    def enable(
        self, payload: Mapping[str, object] | bytes, headers: Mapping[str, str] | None = None
    ) -> Exchange:
        """POST /dtms/trade/enable, of an object or of bytes as they are."""
        return self.ask("POST", ENABLE, encoded(payload), {**JSON, **(headers or {})})

    def enable_together(self, payloads: Sequence[Mapping[str, object]]) -> list[Exchange]:
        """All at once, each on a connection of its own."""
        return self._together(
            [
                self._send(self.base, "POST", ENABLE, encoded(payload), JSON, False)
                for payload in payloads
            ]
        )

    def get_together(self, path: str, count: int) -> list[Exchange]:
        """So many at once; what is limited is not asked again."""
        return self._together(
            [self._send(self.base, "GET", path, None, None, False) for _n in range(count)]
        )

    def _together(self, sent: Sequence[Coroutine[Any, Any, Exchange]]) -> list[Exchange]:
        async def together() -> list[Exchange]:
            return await asyncio.gather(*sent)

        told: list[Exchange] = self._run(together())
        self._noted.extend(told)
        return told

    def ask_apart(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str | bytes] | None = None,
        *,
        source: str = "127.0.0.1",
    ) -> Exchange:
        """As another client asks: from another address, with any bytes in its headers. Raises
        `Undecided` where this machine has no such address."""
        try:
            told = exchange_apart(self.base, method, path, body, headers, source)
        except OSError as error:
            raise Undecided(f"nothing can be sent from {source} here: {error}") from error
        self._noted.append(told)
        return told

    def lookup(self, ticket: object) -> Exchange:
        """GET /dtms/trade/{ticket}."""
        return self.get(f"/dtms/trade/{ticket}")

    def start(self, actor: str = "dtms") -> None:
        """Starts it, or again. Raises `EnvironmentFailed`."""
        self._run(self.world.start(actor))

    def restart(self) -> Exchange:
        """Starts a server that was killed, and waits until it is ready. Raises `Failed`."""
        self.start()
        return self.must_be_ready()

    def kill(self) -> None:
        """kill -9."""
        self._run(self.world.kill("dtms"))

    def kill_amid(self, payloads: Sequence[Mapping[str, object]], acknowledged: int) -> list[int]:
        """Sends all at once and kills -9 when so many were answered with 200. The tickets that
        were acknowledged."""

        async def amid() -> list[int]:
            acked: list[int] = []
            killed: asyncio.Task[None] | None = None

            async def one(payload: Mapping[str, object]) -> None:
                nonlocal killed
                told = await self._send(self.base, "POST", ENABLE, encoded(payload), JSON, False)
                if told.status == 200:
                    acked.append(int(str(payload["ticket"])))
                    if len(acked) >= acknowledged and killed is None:
                        killed = asyncio.create_task(self.world.kill("dtms"))

            await asyncio.gather(*(one(payload) for payload in payloads))
            await self.world.kill("dtms")
            if killed is not None:
                await killed
            return acked

        told: list[int] = self._run(amid())
        return told

    def stop(self) -> None:
        """SIGTERM, and waits."""
        self._run(self.world.stop("dtms"))

    def stop_amid(
        self, payloads: Sequence[Mapping[str, object]], before: int
    ) -> list[tuple[Mapping[str, object], Exchange]]:
        """Sends one after the other, from SENDERS at once, sends SIGTERM when so many came back,
        and goes on sending while it runs. Each payload that was sent, and what came."""
        waiting = iter(payloads)

        async def amid() -> list[tuple[Mapping[str, object], Exchange]]:
            sent: list[tuple[Mapping[str, object], Exchange]] = []
            stopped: asyncio.Task[None] | None = None

            async def sender() -> None:
                nonlocal stopped
                for payload in waiting:
                    told = await self._send(
                        self.base, "POST", ENABLE, encoded(payload), JSON, False
                    )
                    sent.append((payload, told))
                    if len(sent) >= before and stopped is None:
                        stopped = asyncio.create_task(self.world.stop("dtms"))
                    if not self.running:
                        break
                    if told.status is None:
                        await asyncio.sleep(POLL_S)

            await asyncio.gather(*(sender() for _n in range(SENDERS)))
            await self.world.stop("dtms")
            if stopped is not None:
                await stopped
            return sent

        told: list[tuple[Mapping[str, object], Exchange]] = self._run(amid())
        return told

    def second(self, elsewhere: Path) -> tuple[int | None, int | None]:
        """Starts two more on its port, one on its store and one on that in `elsewhere`, and waits
        until they end, or kills them. Their exit statuses; None for one that had to be killed."""

        async def one(name: str, data: Path | None) -> int | None:
            undo = await self.world.start_second("dtms", data)
            process = self.world.process(name)
            assert process is not None
            ended = await process.ends(READY_S_MAX / 2)
            status = process.exit_status if ended else None
            await undo()
            return status

        async def both() -> tuple[int | None, int | None]:
            same, other = one("dtms-second", None), one("dtms-elsewhere", elsewhere)
            return tuple(await asyncio.gather(same, other))  # type: ignore[return-value]

        told: tuple[int | None, int | None] = self._run(both())
        return told

    @property
    def exit_status(self) -> int | None:
        """None while it runs."""
        process = self.world.process("dtms")
        return process.exit_status if process is not None else None

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.world.running("dtms")

    def last_words(self) -> str:
        """The end of its standard error, or that there is none to show."""
        process = self.world.process("dtms")
        if process is None:
            return ""
        words = process.last_words()
        ended = f"It ended with status {process.exit_status}. " if not process.running else ""
        return f"{ended}Its standard error: {words}" if words else f"{ended}It wrote no error."

    def first_answer(self, path: str) -> Exchange:
        """The first answer at all since it was started. Raises `Failed` after READY_S_MAX."""
        deadline = time.monotonic() + READY_S_MAX
        while True:
            told = self.get(path, noted=False)
            if told.status is not None:
                self._noted.append(told)
                return told
            if time.monotonic() > deadline or not self.running:
                why = f"it never answered: {told.trouble}. {self.last_words()}"
                raise Failed(why, told)
            time.sleep(POLL_S)

    def must_be_ready(self, within_s: float = READY_S_MAX) -> Exchange:
        """Waits for 200 of /dtms/health. Raises `Failed`."""
        deadline = time.monotonic() + within_s
        while True:
            told = self.get("/dtms/health", noted=False)
            if told.status == 200:
                self._noted.append(told)
                return told
            if not self.running:
                raise Failed(f"it ended before it was ready. {self.last_words()}", told)
            if time.monotonic() > deadline:
                why = f"GET /dtms/health was not 200 within {within_s:g} s"
                raise Failed(f"{why}. {self.last_words()}".strip(), told)
            time.sleep(POLL_S)

    def until(self, holds: Callable[[Exchange], bool], path: str, within_s: float) -> Exchange:
        """The first answer for which it holds, or the last that came in time."""
        deadline = time.monotonic() + within_s
        while True:
            told = self.get(path, noted=False)
            if holds(told) or time.monotonic() > deadline:
                self._noted.append(told)
                return told
            time.sleep(POLL_S)

    def corrupt_store(self) -> bool:
        """Whether there was a database file to spoil."""
        folder = self.world.data_folder("dtms")
        if not any(p.suffix in {".db", ".sqlite", ".sqlite3"} for p in folder.glob("**/*")):
            return False
        self._run(LocalDisks(self.world).corrupt("dtms"))
        return True

    def spoil_data_folder(self) -> None:
        """Puts where the store would be what no process can write into, whoever runs it."""
        folder = self.world.data_folder("dtms")
        folder.rmdir()
        folder.symlink_to("/proc")

    @contextmanager
    def failing_store(self) -> Iterator[None]:
        """While it lasts nothing that the server stores can be written. Raises `Undecided` where
        that cannot be brought about."""
        if self.target.has_lab:
            fault = b'{"fault": "store-fails"}'
            self._run(self.world.http("dtms", "POST", "/_lab/faults", fault))
            try:
                yield
            finally:
                self._run(self.world.http("dtms", "DELETE", "/_lab/faults"))
            return
        process = self.world.process("dtms")
        if process is None or process.pid is None or not hasattr(resource, "prlimit"):
            raise Undecided("its files cannot be made unwritable on this machine")
        # The soft limit only, which is raised again without rights.
        hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
            if not self.running:
                raise Undecided("it ended when its files could not be written")
        finally:
            if self.running:
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))


def encoded(payload: Mapping[str, object] | bytes) -> bytes:
    """As it is sent."""
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()


def _retry_after_s(told: Exchange) -> float:
    text = told.headers.get("retry-after", "")
    asked_s = float(text) if text.isascii() and text.isdigit() else 1.0
    return min(max(asked_s, 0.1), LIMITED_S_MAX)
