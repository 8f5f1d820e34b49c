"""A small server that says what it got, a tap that remembers, and a proxy between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from chaos.proxy import Answer, Exchange, FaultProxy, Outcome

WAIT_S_MAX = 10.0
TRADE = {"symbol": "EURUSD", "direction": "BUY", "entry": 1.1, "volume": 0.1}


class EchoServer:
    """Answers every request with its ticket; `gate` holds the answers back."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[tuple[str, dict[str, object] | None]] = []
        self.raw: list[bytes] = []
        self.accepted = 0
        self.open = 0
        self.headers: tuple[str, ...] = ()
        self.answer: bytes | None = None
        self.hangs_up = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.drop_connections()

    async def drop_connections(self) -> None:
        """Closes every connection, as a server does with idle ones."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def tickets(self) -> list[object]:
        return [body["ticket"] for _line, body in self.requests if body is not None]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            while not true():
                self.changed.clear()
                await self.changed.wait()

    def _accept(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(source, sink))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open += 1
        self.changed.set()
        try:
            while True:
                head = await source.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line.split(b":")[1])
                        for line in head.lower().split(b"\r\n")
                        if line.startswith(b"content-length:")
                    ),
                    0,
                )
                raw = await source.readexactly(length)
                body = json.loads(raw) if raw else None
                self.requests.append((head.split(b"\r\n")[0].decode(), body))
                self.raw.append(head + raw)
                self.changed.set()
                await self.gate.wait()
                sink.write(self.answer or self._echo(body))
                await sink.drain()
                if self.hangs_up:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.open -= 1
            self.changed.set()
            sink.close()

    def _echo(self, body: dict[str, object] | None) -> bytes:
        trade = dict(body or {})
        said = json.dumps({"success": True, "already_registered": False, "trade_info": trade})
        lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", *self.headers]
        lines += [f"Content-Length: {len(said)}", "", said]
        return "\r\n".join(lines).encode()


class Memory:
    """A tap that remembers, in the order in which it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.exchanges: list[Exchange] = []
        self.answers: list[Answer] = []
        self.copies: list[Answer | None] = []
        self.outcomes: list[Outcome] = []
        self._changed = asyncio.Event()

    def on_request(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        self._tell("request")

    def on_answer(self, exchange: Exchange, answer: Answer) -> None:
        self.answers.append(answer)
        self._tell("answer")

    def on_copy(self, exchange: Exchange, answer: Answer | None) -> None:
        self.copies.append(answer)
        self._tell("copy")

    def on_end(self, exchange: Exchange, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._tell("end")

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    def _tell(self, event: str) -> None:
        self.told.append(event)
        self._changed.set()


class Caller:
    """A client of one link."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self.http = http
        self.url = url

    async def enable(self, ticket: int = 1001, timeout_s: float = 5.0) -> httpx.Response:
        return await self.http.post(
            f"{self.url}/dtms/trade/enable", json={"ticket": ticket, **TRADE}, timeout=timeout_s
        )

    async def get(self, path: str, timeout_s: float = 5.0) -> httpx.Response:
        return await self.http.get(f"{self.url}{path}", timeout=timeout_s)


@pytest.fixture
async def server() -> AsyncIterator[EchoServer]:
    server = EchoServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
async def proxy(server: EchoServer, memory: Memory) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(seed=7, tap=memory) as proxy:
        await proxy.link("bot->dtms", "127.0.0.1", server.port)
        yield proxy


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=False) as http:
        yield http


@pytest.fixture
def bot(proxy: FaultProxy, http: httpx.AsyncClient) -> Caller:
    return Caller(http, f"http://127.0.0.1:{proxy.port('bot->dtms')}")


@pytest.fixture
def caller() -> type[Caller]:
    return Caller


@pytest.fixture(autouse=True)
async def nothing_is_left_running() -> AsyncIterator[None]:
    """Every test leaves the loop with the tasks it found there."""
    before = asyncio.all_tasks()
    yield
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    left.discard(asyncio.current_task())
    assert not left
