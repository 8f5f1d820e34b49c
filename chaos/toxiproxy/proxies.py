"""The proxies of the embedded Toxiproxy: what its API keeps, over links of the fault proxy."""

from __future__ import annotations

import asyncio
import ipaddress
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from chaos.choice import Draw, seeded
from chaos.proxy.link import Link
from chaos.proxy.port import TcpPort
from chaos.proxy.tap import Tap, Unheeded
from chaos.refusal import refuse_unless
from chaos.regime import RuleInForce
from chaos.toxiproxy.http_toxics import ANY_LINK
from chaos.toxiproxy.named_toxic import NamedToxic

PROXIES_MAX: Final = 1000
TOXICS_MAX: Final = 100
"""Toxics on one proxy."""
GRACE_S: Final = 0.5
"""How long connections of a deleted proxy have to end in good order, before they are reset."""


class NoSuch(LookupError):
    """There is no proxy, or no toxic, of that name."""


class Taken(ValueError):
    """There is one of that name already."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a proxy listens, or its server does."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, what: str, remote: bool, any_port: bool = False) -> Address:
        """Of `HOST:PORT`; no host is this machine's loopback. Raises `ValueError` for what is no
        address, and, unless `remote`, for one that is not on loopback. To listen, IPv4 only."""
        host, colon, port = text.rpartition(":")
        host = host.strip("[]") or "127.0.0.1"
        if any_port and host == "localhost":
            host = "127.0.0.1"
        refuse_unless(not any_port or ":" not in host, f"{what}: IPv4 is wanted, not {text!r}")
        number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else -1
        least = 0 if any_port else 1
        refuse_unless(
            bool(colon) and least <= number < 65536, f"{what}: HOST:PORT is wanted, not {text!r}"
        )
        refuse_unless(
            remote or _is_loopback(host), f"{what}: {host} is not on loopback, which is all allowed"
        )
        return cls(host, number)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(slots=True)
class Proxied:
    """One proxy; `toxics` stand in the order in which they came."""

    name: str
    listen: Address
    upstream: Address
    enabled: bool
    link: Link
    toxics: dict[str, NamedToxic] = field(default_factory=dict)
    rules: dict[str, RuleInForce] = field(default_factory=dict)

    def apply(self, toxic: NamedToxic) -> None:
        """From now on the toxic is in force, in the place of one of its name."""
        self.lift(toxic.name)
        self.toxics[toxic.name] = toxic
        if (poison := toxic.poison) is not None:
            self.link.poison(toxic.name, poison)
        elif (fault := toxic.fault) is not None:
            self.rules[toxic.name] = RuleInForce.of((ANY_LINK, fault))
            self.link.rules = [*self.rules.values()]

    def change(self, toxic: NamedToxic) -> None:
        """The toxic of that name is this one now, in its old place."""
        if (poison := toxic.poison) is not None:
            self.toxics[toxic.name] = toxic
            self.link.poison(toxic.name, poison)
        else:
            self.apply(toxic)

    def lift(self, name: str) -> None:
        """The toxic of that name is in force no more, if there is one."""
        if self.toxics.pop(name, None) is not None:
            self.link.poison(name, None)
            self.rules.pop(name, None)
            self.link.rules = [*self.rules.values()]


class Proxies:
    """All proxies of one embedded server, within the running event loop.

    The same `seed` decides alike about the same connections and requests. Listens on loopback
    only, and passes on to loopback only, unless `allow_remote`.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        draw: Draw | None = None,
        tap: Tap | None = None,
        allow_remote: bool = False,
    ) -> None:
        self.by_name: dict[str, Proxied] = {}
        self._draw = draw or seeded(seed)
        self._tap = tap or Unheeded()
        self._allow_remote = allow_remote
        self._numbers = count()
        self._turn = asyncio.Lock()

    def get(self, name: str) -> Proxied:
        """Raises `NoSuch`."""
        if name not in self.by_name:
            raise NoSuch("proxy not found")
        return self.by_name[name]

    def addresses(self, listen: str, upstream: str) -> tuple[Address, Address]:
        """Both, read. Raises `ValueError`."""
        remote = self._allow_remote
        return (
            Address.parse(listen or "127.0.0.1:0", what="listen", remote=remote, any_port=True),
            Address.parse(upstream, what="upstream", remote=remote),
        )

    async def create(self, name: str, listen: str, upstream: str, enabled: bool) -> Proxied:
        """Raises `Taken`, `ValueError`, and `OSError` for a port that is taken."""
        where, whither = self.addresses(listen, upstream)
        async with self._turn:
            if name in self.by_name:
                raise Taken("proxy already exists")
            refuse_unless(len(self.by_name) < PROXIES_MAX, f"there are {PROXIES_MAX} proxies")
            return await self._create(name, where, whither, enabled)

    async def populate(self, name: str, listen: str, upstream: str, enabled: bool) -> Proxied:
        """The one that there is where it has these addresses; otherwise a new one in its place.
        Raises as `create`."""
        where, whither = self.addresses(listen, upstream)
        async with self._turn:
            there = self.by_name.get(name)
            if there is not None and (there.listen, there.upstream) == (where, whither):
                return there
            if there is not None:
                await self._remove(there)
            return await self._create(name, where, whither, enabled)

    async def update(self, name: str, listen: str, upstream: str, enabled: bool) -> Proxied:
        """Changes what differs. New addresses end every connection; toxics stay. Raises `NoSuch`
        and as `create`; a proxy whose new port is taken is gone from the old one, and disabled."""
        where, whither = self.addresses(listen, upstream)
        async with self._turn:
            proxied = self.get(name)
            if (proxied.listen, proxied.upstream) != (where, whither):
                await self._move(proxied, where, whither)
            if enabled and not proxied.enabled:
                await proxied.link.start()
            elif proxied.enabled and not enabled:
                await proxied.link.stop()
            proxied.enabled = enabled
            return proxied

    async def delete(self, name: str) -> None:
        """Raises `NoSuch`."""
        async with self._turn:
            await self._remove(self.get(name))

    async def reset(self) -> None:
        """Lifts every toxic. What is disabled stays so: whoever disabled it has not enabled it."""
        async with self._turn:
            for proxied in self.by_name.values():
                for name in tuple(proxied.toxics):
                    proxied.lift(name)

    def add_toxic(self, name: str, toxic: NamedToxic) -> None:
        """Raises `NoSuch`, `Taken`, `ValueError`."""
        proxied = self.get(name)
        if toxic.name in proxied.toxics:
            raise Taken("toxic already exists")
        refuse_unless(len(proxied.toxics) < TOXICS_MAX, f"there are {TOXICS_MAX} toxics on it")
        proxied.apply(toxic)

    def toxic(self, name: str, toxic: str) -> NamedToxic:
        """Raises `NoSuch`."""
        proxied = self.get(name)
        if toxic not in proxied.toxics:
            raise NoSuch("toxic not found")
        return proxied.toxics[toxic]

    async def aclose(self) -> None:
        """Ends every connection and frees every port."""
        async with self._turn:
            for proxied in tuple(self.by_name.values()):
                await self._remove(proxied)

    async def _create(
        self, name: str, listen: Address, upstream: Address, enabled: bool
    ) -> Proxied:
        link = self._link(name, upstream, enabled)
        await link.open(listen.host, listen.port)
        listens = Address(listen.host, link.port)
        proxied = Proxied(name, listens, upstream, enabled, link)
        self.by_name[name] = proxied
        return proxied

    async def _move(self, proxied: Proxied, listen: Address, upstream: Address) -> None:
        await proxied.link.aclose()
        enabled, proxied.enabled = proxied.enabled, False
        link = self._link(proxied.name, upstream, enabled)
        await link.open(listen.host, listen.port)
        proxied.link, proxied.upstream, proxied.enabled = link, upstream, enabled
        proxied.listen = Address(listen.host, link.port)
        for toxic in tuple(proxied.toxics.values()):
            proxied.apply(toxic)

    async def _remove(self, proxied: Proxied) -> None:
        del self.by_name[proxied.name]
        await proxied.link.stop()
        with suppress(TimeoutError):
            await proxied.link.empty(GRACE_S)
        await proxied.link.aclose()

    def _link(self, name: str, upstream: Address, enabled: bool) -> Link:
        return Link(
            name,
            host=upstream.host,
            upstream_port=upstream.port,
            mirror_upstream=False,
            draw=self._draw,
            tap=self._tap,
            number=lambda _request: next(self._numbers),
            listens=TcpPort(),
            stopped=not enabled,
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
