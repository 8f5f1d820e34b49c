"""One link: a port that clients connect to, the server behind it, and what is in force between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace

from chaos.choice import Draw
from chaos.conditions import CALM, Conditions
from chaos.json_body import decoded
from chaos.proxy.connection import Connection
from chaos.proxy.copies import deliver_copy
from chaos.proxy.flight import Flight
from chaos.proxy.http import AnswerReader, WholeRequest
from chaos.proxy.limits import CLOSE_S_MAX, CONNECTIONS_MAX
from chaos.proxy.port import Port
from chaos.proxy.side import Side
from chaos.proxy.tap import Exchange, Tap
from chaos.regime import Kind, RuleInForce, count, decide
from chaos.request import RequestView, classify
from chaos.toxiproxy.poison import Poison
from chaos.verdict import Forward


class Link:
    """Owns its port and its connections.

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
        listens: Port,
        stopped: bool = False,
    ) -> None:
        """`stopped`: it listens once it was started."""
        self.name = name
        self.host = host
        self.upstream_port = upstream_port
        self.mirror_upstream = mirror_upstream
        self.port = 0
        """Where clients connect, once the link is open."""
        self.tap = tap
        self.conditions = CALM
        self.rules: list[RuleInForce] = []
        self._poisons: dict[str, Poison] = {}
        self._stops = int(stopped)
        self._draw = draw
        self._number = number
        self._listens = listens
        self._listening = False
        self._turning = asyncio.Lock()
        # Dicts for sets: connections are told of things in the order in which they came.
        self._connections: dict[Connection, None] = {}
        self._accepted = 0
        self._attempts: dict[Kind, int] = {}
        self._copies: dict[asyncio.Task[None], None] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    async def open(self, host: str, port: int) -> None:
        """Reserves the port, 0 for any, and listens unless it is stopped. Raises `OSError`."""
        self.port = self._listens.reserve(host, port)
        await self._turn_port()

    async def weather(self, conditions: Conditions) -> None:
        """Puts conditions in force, for open connections too."""
        self.conditions = conditions
        await self._turn_port()
        self._tell_connections()

    def poison(self, name: str, poison: Poison | None) -> None:
        """From now on this toxic is in force under that name, for open connections too; None is
        none. Toxics add up in the order in which they came."""
        if poison is None:
            self._poisons.pop(name, None)
        else:
            self._poisons[name] = poison
        self._tell_connections()

    def conditions_of(self, connection: int) -> Conditions:
        """What the connection with this number suffers: what all do, and the toxics that hit it."""
        now = self.conditions
        for name, poison in self._poisons.items():
            if poison.toxicity >= 1 or self.chance(f"{name} {connection}") < poison.toxicity:
                now = replace(poison.shape(now), names=(*now.names, name))
        return now

    async def stop(self) -> None:
        """Closes the port, which stays reserved, and every connection in good order."""
        self._stops += 1
        await self._turn_port()
        for connection in tuple(self._connections):
            connection.close("the proxy was disabled")

    async def start(self) -> None:
        """Opens the port again, once it was called as often as `stop`."""
        self._stops -= 1
        await self._turn_port()

    async def empty(self, within_s: float) -> None:
        """Waits until no connection is open. Raises `TimeoutError`."""
        async with asyncio.timeout(within_s):
            await self._empty.wait()

    async def aclose(self) -> None:
        """Resets every connection and gives the port back."""
        await self._turn_port(ending=True)
        for connection in tuple(self._connections):
            connection.reset("the proxy closed")
        copies = tuple(self._copies)
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)
        await self.empty(CLOSE_S_MAX)
        self._listens.release()

    def take_in(self, request: WholeRequest) -> Flight:
        payload = decoded(request.body)
        op, ticket = classify(request.method, request.path, payload)
        attempt = count(self._attempts, (op, ticket))
        view = RequestView(self.name, op, request.method, request.path, ticket, attempt, payload)
        exchange = Exchange(self._number(view), view)
        self.tap.on_request(exchange)
        verdict, faults = decide(self.rules, view, self._draw)
        return Flight(exchange, request, verdict, faults, AnswerReader(request.method))

    def send_copies(self, flight: Flight, verdict: Forward) -> None:
        for copy in range(1, verdict.copies):
            self._spawn(self._send_copy(flight, copy * verdict.copy_gap_s))

    def chance(self, key: str) -> float:
        return self._draw(f"{self.name} {key}")

    def forget(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        if not self._connections:
            self._empty.set()

    async def _turn_port(self, *, ending: bool = False) -> None:
        """Opens or closes the port, as the conditions say that are in force by then.

        Opening takes the loop a turn or two, in which they may change again: one after another."""
        async with self._turning:
            if ending or self._stops > 0 or self.conditions.refused:
                self._listens.close()
                self._listening = False
            elif not self._listening:
                await self._listens.listen(self._accept)
                self._listening = True

    def _tell_connections(self) -> None:
        for connection in tuple(self._connections):
            connection.weather()

    def _accept(self) -> Side:
        self._accepted += 1
        connection = Connection(self, self._accepted)
        self._connections[connection] = None
        self._empty.clear()
        if len(self._connections) > CONNECTIONS_MAX:
            connection.reset("there are too many connections")
        return connection.client

    async def _send_copy(self, flight: Flight, after_s: float) -> None:
        answer = await deliver_copy(flight, self.host, self.upstream_port, after_s)
        self.tap.on_copy(flight.exchange, answer)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._copies[task] = None
        task.add_done_callback(self._copies.pop)
