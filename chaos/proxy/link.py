"""One link: a port that clients connect to, the server behind it, and what is in force between."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from chaos.choice import Draw
from chaos.conditions import CALM, Conditions
from chaos.fault import name_of
from chaos.json_body import decoded
from chaos.proxy.connection import Connection
from chaos.proxy.copies import deliver_copy
from chaos.proxy.flight import Flight
from chaos.proxy.http import AnswerReader, WholeRequest
from chaos.proxy.limits import ATTEMPTS_REMEMBERED_MAX, BACKLOG, CLOSE_S_MAX, CONNECTIONS_MAX
from chaos.proxy.side import Side
from chaos.proxy.tap import Exchange, Tap
from chaos.request import Operation, RequestView, classify
from chaos.verdict import PASS, Forward, Rule, Verdict, combine

Kind = tuple[Operation, int | None]


@dataclass(eq=False, slots=True)
class RuleInForce:
    """A rule, what brought it into force, and how many requests of each kind it was asked about."""

    rule: Rule
    name: str
    entry: object
    asked: dict[Kind, int] = field(default_factory=dict)

    @classmethod
    def of(cls, entry: tuple[str, Rule]) -> RuleInForce:
        """A rule that comes into force by this entry: a pattern of links, and the rule."""
        _pattern, rule = entry
        return cls(rule, name_of(rule), entry)

    def decide(self, request: RequestView, draw: Draw) -> Verdict:
        """The rule's verdict on a request that it has not seen before."""
        kind = (request.op, request.ticket)
        nth = count(self.asked, kind)
        return self.rule.decide(request, nth, draw)


class Link:
    """Owns its listening socket and its connections.

    The port stays reserved while nothing listens on it, so that connecting is truly refused and
    nobody else can take it meanwhile.
    """

    def __init__(
        self,
        name: str,
        *,
        host: str,
        upstream_port: int,
        mirror_upstream: bool,
        draw: Draw,
        tap: Tap,
        number: Callable[[RequestView], int],
    ) -> None:
        self.name = name
        self.host = host
        self.upstream_port = upstream_port
        self.mirror_upstream = mirror_upstream
        self.tap = tap
        self.conditions = CALM
        self.rules: list[RuleInForce] = []
        self._draw = draw
        self._number = number
        self._reserved: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._accepted = 0
        self._attempts: dict[Kind, int] = {}
        self._copies: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    async def open(self, host: str, port: int) -> int:
        """Reserves the port, 0 for any, and listens; the port. Raises `OSError`."""
        self._reserved = bound(host, port)
        # With this left on, anybody could bind the port while nobody listens on it.
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        await self._listen()
        return self.port

    @property
    def port(self) -> int:
        """Where clients connect."""
        assert self._reserved is not None
        port: int = self._reserved.getsockname()[1]
        return port

    async def weather(self, conditions: Conditions) -> None:
        """Puts conditions in force, for open connections too."""
        before, self.conditions = self.conditions, conditions
        if conditions.refused and self._server is not None:
            self._server.close()
            self._server = None
        elif not conditions.refused and self._server is None:
            await self._listen()
        for connection in tuple(self._connections):
            connection.weather(conditions, before)

    async def aclose(self) -> None:
        """Resets every connection and gives the port back."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self._connections):
            connection.reset("the proxy closed")
        copies = tuple(self._copies)
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)
        async with asyncio.timeout(CLOSE_S_MAX):
            await self._empty.wait()
        if self._reserved is not None:
            self._reserved.close()

    def take_in(self, request: WholeRequest) -> Flight:
        payload = decoded(request.body)
        op, ticket = classify(request.method, request.path, payload)
        attempt = count(self._attempts, (op, ticket))
        view = RequestView(self.name, op, request.method, request.path, ticket, attempt, payload)
        exchange = Exchange(self._number(view), view)
        self.tap.on_request(exchange)
        verdict, faults = self._decide(view)
        flight = Flight(exchange, request, verdict, faults, AnswerReader(request.method))
        flight.blame(self.conditions.names)
        return flight

    def send_copies(self, flight: Flight, verdict: Forward) -> None:
        for copy in range(1, verdict.copies):
            self._spawn(self._send_copy(flight, copy * verdict.copy_gap_s))

    def chance(self, key: str) -> float:
        return self._draw(f"{self.name} {key}")

    def forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    async def _listen(self) -> None:
        host, port = self._reserved.getsockname() if self._reserved else ("127.0.0.1", 0)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._accept, sock=bound(host, port), backlog=BACKLOG
        )

    def _accept(self) -> Side:
        self._accepted += 1
        connection = Connection(self, self._accepted)
        self._connections.add(connection)
        self._empty.clear()
        if len(self._connections) > CONNECTIONS_MAX:
            connection.reset("there are too many connections")
        return connection.client

    def _decide(self, view: RequestView) -> tuple[Verdict, tuple[str, ...]]:
        """Every rule is asked, so that each counts what it sees."""
        decided = [(rule.name, rule.decide(view, self._draw)) for rule in self.rules]
        guilty: list[str] = []
        for name, verdict in decided:
            if verdict != PASS:
                guilty.append(name)
            if not isinstance(verdict, Forward):
                break
        return combine(verdict for _name, verdict in decided), tuple(guilty)

    async def _send_copy(self, flight: Flight, after_s: float) -> None:
        answer = await deliver_copy(flight, self.host, self.upstream_port, after_s)
        self.tap.on_copy(flight.exchange, answer)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)


def count(seen: dict[Kind, int], kind: Kind) -> int:
    """How many of this kind there were before; remembers that there is one more."""
    nth = seen.get(kind, 0)
    if nth == 0 and len(seen) >= ATTEMPTS_REMEMBERED_MAX:
        del seen[next(iter(seen))]
    seen[kind] = nth + 1
    return nth


def bound(host: str, port: int) -> socket.socket:
    """A socket that shares its port with the link's others. Raises `OSError` where it is taken."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"port {port} of {host} is taken: {error.strerror}") from error
    return sock
