"""The fidelity `socket`: whole HTTP stacks, unmodified, on simulated sockets.

The fault proxy runs in the lab's own context, as it does between real processes; services and
servers speak HTTP through it with the libraries they use in production.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chaos.capabilities import Links, Requests
from chaos.proxy import FaultProxy
from core.settings import Policy, Settings
from scenarios.targets.trading import over_http
from scenarios.worlds.sim.direct import exchange
from scenarios.worlds.sim.http_server import HttpServer
from scenarios.worlds.sim.port import SimPort
from scenarios.worlds.sim.run import Run
from scenarios.worlds.wire import WireTap
from simulator.api import Api
from simulator.broker_client import HttpBroker, HttpRegistry
from simulator.deterministic.network import Network
from simulator.engine import Engine
from simulator.main_api import HttpDtms
from simulator.messages import Messages
from simulator.side_app import make_app

if TYPE_CHECKING:
    from scenarios.worlds.sim.world import SimWorld

PORTS = {"dtms": 8001, "main-api": 8000, "broker": 8002}
HTTP_S_MAX = 3.0
"""How long the driver waits for an answer of its own."""
TOKEN = "sim"
"""Opens the control planes; who is simulated could know it, and does not."""
AIOHTTP_FROM = 0.5
"""From which draw on a service's core uses aiohttp."""


class SocketWires:
    """Everything above the sockets is what runs in production."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        self._network = world.loop.network = Network(world.loop, world.choices)
        self._network.crossed = self._crossed
        self._proxy = FaultProxy(
            draw=world.choices,
            tap=WireTap(world.recorder),
            ports=lambda: SimPort(self._network),
        )

    def capabilities(self) -> Mapping[type, object]:
        return {Links: self._proxy, Requests: self._proxy}

    async def lay(self, link: str) -> None:
        await self._proxy.link(link, "127.0.0.1", PORTS[link.partition("->")[2]])

    def core_api(self, service: str) -> dict[str, Any]:
        aiohttp = self._world.choices(f"adapter {service}") >= AIOHTTP_FROM
        return {"adapter": "aiohttp" if aiohttp else "httpx"}

    def settings(self, service: str, policy: Policy) -> Settings:
        return Settings(port=self._proxy.port(f"{service}->dtms"), policy=policy)

    def ask(self, service: str, target: str) -> Any:
        return over_http(self.url(service, target))

    def url(self, asker: str, target: str) -> str:
        link = f"{asker}->{target}"
        laid = link in self._proxy.carriers
        return _url(self._proxy.port(link) if laid else PORTS[target])

    def broker_of_dtms(self) -> HttpBroker:
        return HttpBroker(self.url("dtms", "broker"))

    def registry_of_dtms(self) -> HttpRegistry:
        return HttpRegistry(self.url("dtms", "main-api"))

    def dtms_of_main_api(self) -> HttpDtms:
        return HttpDtms(self.url("main-api", "dtms"))

    async def open_port(self, run: Run) -> bool:
        return not self._network.is_listening(_port(run))

    async def serve_dtms(self, run: Run, messages: Messages, engine: Engine) -> None:
        api = Api(
            engine,
            messages=messages,
            lab=run.lab,
            monotonic=self._world.clock.monotonic,
            new_id=lambda: "dtms",
        )
        server = HttpServer(api, _port(run))
        await server.start()

        async def stop() -> None:
            engine.shut_down()
            await server.stop()
            await engine.aclose()

        run.stop = stop

    async def serve_plain(self, run: Run, answer: Any) -> None:
        server = HttpServer(make_app(answer, TOKEN), _port(run))
        await server.start()
        run.stop = server.stop

    async def serve_app(self, run: Run, app: Any) -> None:
        server = HttpServer(app, _port(run), lifespan="auto", graceful_s=None)
        await server.start()
        run.stop = server.stop

    async def http(
        self, actor: str, method: str, path: str, body: bytes | None
    ) -> tuple[int, object] | None:
        headers = {"X-Lab-Token": TOKEN}
        try:
            async with asyncio.timeout(HTTP_S_MAX):
                return await exchange(PORTS[actor], method, path, headers, body)
        except TimeoutError:
            return None

    async def aclose(self) -> None:
        await self._proxy.aclose()

    def _crossed(self, actor: str, point: str) -> None:
        self._world.crossings.of(actor)(point)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _port(run: Run) -> int:
    """A second instance comes for the same port."""
    return PORTS[run.actor.removesuffix("-second")]
