"""Links through a Toxiproxy server: each proxy is called as the link that it carries."""

from __future__ import annotations

from itertools import count

from chaos.capabilities import Undo
from chaos.links import check_link, covers
from chaos.refusal import refuse_unless
from chaos.toxiproxy.client import ProxyState
from chaos.toxiproxy.control import Control
from chaos.toxiproxy.named_toxic import NamedToxic
from chaos.toxiproxy.poison import Poison
from chaos.toxiproxy.toxics import attributes_of, type_of
from chaos.undo import once


class ToxiproxyLinks:
    """Offers `Toxics` by a server's control."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._numbers = count(1)

    async def link(self, name: str, host: str, port: int) -> int:
        """Lays a link to the server at `host:port`; the port that clients connect to. Raises
        `ValueError` for a name that is none, and as `Control.lay`."""
        check_link(name)
        laid = await self._control.lay(ProxyState(name, "127.0.0.1:0", f"{host}:{port}"))
        return int(laid.listen.rpartition(":")[2])

    async def poison(self, link: str, poison: Poison) -> Undo:
        """See `Toxics`."""
        type_ = type_of(poison.toxic)
        name = f"{type_}-{next(self._numbers)}"
        attributes = attributes_of(poison.toxic)
        toxic = NamedToxic.of(name, type_, poison.stream, poison.toxicity, attributes)
        poisoned = self._covered(link)
        for proxy in poisoned:
            await self._control.add_toxic(proxy, toxic)

        async def lift() -> None:
            for proxy in poisoned:
                state = self._control.wanted.get(proxy)
                if state is not None and toxic in state.toxics:
                    await self._control.remove_toxic(proxy, name)

        return once(lift)

    async def take_down(self, link: str) -> Undo:
        """See `Toxics`."""
        taken = self._covered(link)
        for proxy in taken:
            await self._control.disable(proxy)

        async def put_up() -> None:
            for proxy in taken:
                if proxy in self._control.wanted:
                    await self._control.enable(proxy)

        return once(put_up)

    def _covered(self, pattern: str) -> tuple[str, ...]:
        check_link(pattern)
        names = self._control.wanted
        covered = tuple(name for name in names if covers(pattern, name))
        there = ", ".join(names) or "none"
        refuse_unless(bool(covered), f"There is no link {pattern!r}; there are: {there}.")
        return covered
