"""Toxiproxy from asyncio: which proxies and toxics there are to be, and a server held to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from chaos.toxiproxy.client import ProxyState, ToxiproxyClient
from chaos.toxiproxy.errors import ServerRefused, ServerUnreachable
from chaos.toxiproxy.named_toxic import NamedToxic

T = TypeVar("T")


class Server(Protocol):
    """A Toxiproxy server, real or embedded."""

    @property
    def client(self) -> ToxiproxyClient:
        """Of the server as it runs now; another once it was started anew."""
        ...

    async def revive(self, why: str) -> None:
        """Starts one that is dead or stuck anew, without proxies. Raises `ServerUnreachable`
        where that cannot be done."""
        ...


class Control:
    """Keeps what was asked for in `wanted`, so that a server that had to be started anew has it
    again, on the same ports. One call at a time; each is done when it returns, also where the
    server died in the middle of it.

    Methods raise `ServerRefused` where the server says no: then nothing has changed. They raise
    `ServerUnreachable` where there is no server and none can be started.
    """

    def __init__(self, server: Server) -> None:
        self.wanted: dict[str, ProxyState] = {}
        self._server = server
        self._turn = asyncio.Lock()

    async def lay(self, proxy: ProxyState) -> ProxyState:
        """Lays a proxy; what comes back has the port that it listens on."""
        async with self._turn:
            made = await self._ask(lambda client: client.create(proxy))
            if made is None:
                made = await asyncio.to_thread(self._server.client.create, proxy)
            laid = replace(proxy, listen=made.listen)
            self.wanted[proxy.name] = laid
            return laid

    async def remove(self, name: str) -> None:
        """Ends a proxy."""
        await self._change(name, None, lambda client: client.delete(name))

    async def enable(self, name: str) -> None:
        """The proxy listens."""
        wanted = replace(self.wanted[name], enabled=True)
        await self._change(name, wanted, lambda client: client.enable(name))

    async def disable(self, name: str) -> None:
        """The proxy's port and connections close."""
        wanted = replace(self.wanted[name], enabled=False)
        await self._change(name, wanted, lambda client: client.disable(name))

    async def add_toxic(self, name: str, toxic: NamedToxic) -> None:
        """Puts a toxic in force on the proxy."""
        wanted = self.wanted[name]
        wanted = replace(wanted, toxics=(*wanted.toxics, toxic))
        await self._change(name, wanted, lambda client: client.add_toxic(name, toxic))

    async def change_toxic(self, name: str, toxic: NamedToxic) -> None:
        """The toxic of its name is this one from now on."""
        wanted = self.wanted[name]
        toxics = tuple(toxic if other.name == toxic.name else other for other in wanted.toxics)
        wanted = replace(wanted, toxics=toxics)
        await self._change(name, wanted, lambda client: client.change_toxic(name, toxic))

    async def remove_toxic(self, name: str, toxic: str) -> None:
        """Lifts a toxic from the proxy."""
        wanted = self.wanted[name]
        toxics = tuple(other for other in wanted.toxics if other.name != toxic)
        wanted = replace(wanted, toxics=toxics)
        await self._change(name, wanted, lambda client: client.remove_toxic(name, toxic))

    async def hold(self) -> None:
        """Asks for a sign of life; a server that gives none is started anew."""
        async with self._turn:
            await self._ask(lambda client: client.version())

    async def restore(self, why: str) -> None:
        """Starts the server anew and lays again what is wanted."""
        async with self._turn:
            await self._restore(why)

    async def _change(
        self, name: str, wanted: ProxyState | None, call: Callable[[ToxiproxyClient], None]
    ) -> None:
        async with self._turn:
            before = self.wanted[name]
            self._want(name, wanted)
            try:
                await self._ask(call)
            except ServerRefused:
                self._want(name, before)
                raise

    def _want(self, name: str, wanted: ProxyState | None) -> None:
        if wanted is None:
            self.wanted.pop(name, None)
        else:
            self.wanted[name] = wanted

    async def _ask(self, call: Callable[[ToxiproxyClient], T]) -> T | None:
        """The answer; None where the server had to be started anew for want of one. It has
        what is wanted then."""
        try:
            return await asyncio.to_thread(call, self._server.client)
        except ServerUnreachable as error:
            await self._restore(str(error))
            return None

    async def _restore(self, why: str) -> None:
        await self._server.revive(why)
        for proxy in self.wanted.values():
            await asyncio.to_thread(self._server.client.create, proxy)
