"""The fault proxy: stands between services and servers and inflicts what faults say."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from types import TracebackType

from chaos.capabilities import Undo
from chaos.choice import seeded
from chaos.conditions import Toxic, under
from chaos.fault import name_of
from chaos.links import check_link, covers
from chaos.proxy.link import Link, RuleInForce
from chaos.proxy.port import Port, TcpPort
from chaos.proxy.tap import Tap, Unheeded
from chaos.refusal import refuse_unless
from chaos.request import Op, RequestView
from chaos.undo import once
from chaos.verdict import Rule


class FaultProxy:
    """Offers `Links` and `Requests` within the running event loop.

    `ports` makes the port of each link: real ones unless another is given. Servers are reached by
    the loop's `create_connection`, so that in a loop of simulated sockets all of this works as it
    does on real ones.

    The same `seed` decides the same about the same requests. Leaving `async with`, or `aclose`,
    resets every connection and frees every port.

    A port that is closed cannot be imitated once a connection was accepted. With `mirror_upstream`
    a client whose server cannot be reached is therefore reset, at most REFUSAL_GRACE_S after it was
    accepted; without it, its connection closes in good order, as port forwarders do. `Refuse` does
    close the port. Requests are passed on when they are whole, answers as they come.
    """

    def __init__(
        self, *, seed: int = 0, tap: Tap | None = None, ports: Callable[[], Port] = TcpPort
    ) -> None:
        self._draw = seeded(seed)
        self._ports = ports
        self._tap = tap or Unheeded()
        self._links: dict[str, Link] = {}
        self._toxics: list[tuple[str, Toxic]] = []
        self._rules: list[tuple[str, Rule]] = []
        self._seen: Counter[Op] = Counter()
        self._waiting: list[tuple[int, Op, asyncio.Future[None]]] = []

    async def __aenter__(self) -> FaultProxy:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def link(
        self,
        name: str,
        host: str,
        port: int,
        *,
        listen_host: str = "127.0.0.1",
        listen_port: int = 0,
        mirror_upstream: bool = True,
    ) -> int:
        """Lays a link to the server at `host:port` and returns the port that clients connect to.

        What is in force for links of this name is in force for it. Raises `ValueError` for a name
        that is none or is taken, `OSError` for a port that is taken.
        """
        check_link(name)
        refuse_unless("*" not in name, f"{name!r} is a pattern, no link.")
        refuse_unless(name not in self._links, f"There is a link {name!r} already.")
        link = Link(
            name,
            host=host,
            upstream_port=port,
            mirror_upstream=mirror_upstream,
            draw=self._draw,
            tap=self._tap,
            number=self._count,
            listens=self._ports(),
        )
        link.rules = [RuleInForce.of(entry) for entry in self._rules if covers(entry[0], name)]
        self._links[name] = link
        try:
            await link.open(listen_host, listen_port)
            await self._reckon(link)
        except OSError:
            del self._links[name]
            raise
        return link.port

    def port(self, link: str) -> int:
        """The port that clients of the link connect to. Raises `ValueError` where there is none."""
        self._covered(link)
        return self._links[link].port

    async def toxify(self, link: str, toxic: Toxic) -> Undo:
        """See `Links`."""
        covered = self._covered(link)
        entry = (link, toxic)
        self._toxics.append(entry)
        for each in covered:
            await self._reckon(each)

        async def lift() -> None:
            self._toxics = [other for other in self._toxics if other is not entry]
            for each in self._links.values():
                if covers(link, each.name):
                    await self._reckon(each)

        return once(lift)

    async def rule(self, link: str, rule: Rule) -> Undo:
        """See `Requests`."""
        covered = self._covered(link)
        entry = (link, rule)
        self._rules.append(entry)
        for each in covered:
            each.rules.append(RuleInForce.of(entry))

        async def lift() -> None:
            self._rules = [other for other in self._rules if other is not entry]
            for each in self._links.values():
                each.rules = [other for other in each.rules if other.entry is not entry]

        return once(lift)

    async def until_seen(self, n: int, op: Op) -> None:
        """See `Requests`."""
        if self._seen[op] < n:
            arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((n, op, arrived))
            await arrived

    async def aclose(self) -> None:
        """Ends everything; calling it again does nothing."""
        links = tuple(self._links.values())
        self._links.clear()
        for link in links:
            await link.aclose()
        for _n, _op, arrived in self._waiting:
            arrived.cancel()

    def _covered(self, pattern: str) -> tuple[Link, ...]:
        check_link(pattern)
        covered = tuple(link for name, link in self._links.items() if covers(pattern, name))
        there = ", ".join(self._links) or "none"
        refuse_unless(bool(covered), f"There is no link {pattern!r}; there are: {there}.")
        return covered

    async def _reckon(self, link: Link) -> None:
        """Puts in force on the link the sum of all that is wrong with it."""
        toxics = [(name_of(t), t) for pattern, t in self._toxics if covers(pattern, link.name)]
        await link.weather(under(toxics))

    def _count(self, request: RequestView) -> int:
        """The request's number; wakes whoever waits for it."""
        number = self._seen["any"]
        self._seen["any"] += 1
        self._seen[request.op] += 1
        for entry in tuple(self._waiting):
            n, op, arrived = entry
            if self._seen[op] >= n:
                self._waiting.remove(entry)
                if not arrived.done():
                    arrived.set_result(None)
        return number
