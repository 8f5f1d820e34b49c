"""The fault proxy: stands between services and servers and inflicts what faults say."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from types import TracebackType

from chaos.capabilities import Undo
from chaos.choice import Draw, seeded
from chaos.proxy.link import Link
from chaos.proxy.port import Port, TcpPort
from chaos.proxy.tap import Tap, Unheeded
from chaos.regime import Regime
from chaos.toxiproxy.poison import Poison
from chaos.toxiproxy.toxics import type_of
from chaos.undo import once


class FaultProxy(Regime[Link]):
    """Offers `Links`, `Requests` and `Toxics` within the running event loop.

    `ports` makes the port of each link: real ones unless another is given. Servers are reached by
    the loop's `create_connection`, so that in a loop of simulated sockets all of this works as it
    does on real ones.

    The same `seed` decides the same about the same requests; `draw` decides in its stead where one
    is given. Leaving `async with`, or `aclose`, resets every connection and frees every port.

    A port that is closed cannot be imitated once a connection was accepted. With `mirror_upstream`
    a client whose server cannot be reached is therefore reset, at most REFUSAL_GRACE_S after it was
    accepted; without it, its connection closes in good order, as port forwarders do. `Refuse` does
    close the port. Requests are passed on when they are whole, answers as they come.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        draw: Draw | None = None,
        tap: Tap | None = None,
        ports: Callable[[], Port] = TcpPort,
    ) -> None:
        super().__init__()
        self._draw = draw or seeded(seed)
        self._ports = ports
        self._tap = tap or Unheeded()
        self._poisons = count(1)

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
        self.check_new(name)
        link = Link(
            name,
            host=host,
            upstream_port=port,
            mirror_upstream=mirror_upstream,
            draw=self._draw,
            tap=self._tap,
            number=self.number,
            listens=self._ports(),
        )
        link.rules = self.rules_for(name)
        self.carriers[name] = link
        try:
            await link.open(listen_host, listen_port)
            await self.reckon(link)
        except OSError:
            del self.carriers[name]
            raise
        return link.port

    async def poison(self, link: str, poison: Poison) -> Undo:
        """See `Toxics`; of links that are laid later, none."""
        name = f"{type_of(poison.toxic)}-{next(self._poisons)}"
        poisoned = self.covered(link)
        for each in poisoned:
            each.poison(name, poison)

        async def lift() -> None:
            for each in poisoned:
                each.poison(name, None)

        return once(lift)

    async def take_down(self, link: str) -> Undo:
        """See `Toxics`."""
        taken = self.covered(link)
        for each in taken:
            await each.stop()

        async def put_up() -> None:
            for each in taken:
                await each.start()

        return once(put_up)

    def port(self, link: str) -> int:
        """The port that clients of the link connect to. Raises `ValueError` where there is none."""
        self.covered(link)
        return self.carriers[link].port

    async def aclose(self) -> None:
        """Ends everything; calling it again does nothing."""
        links = tuple(self.carriers.values())
        self.carriers.clear()
        for link in links:
            await link.aclose()
        self.close()
