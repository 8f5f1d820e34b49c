"""The fidelities `message` and `http`: exchanges are carried whole, servers are asked directly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from chaos.answer import HttpAnswer
from chaos.capabilities import Links, Requests
from chaos.proxy.tap import Answer
from chaos.regime import Regime
from core.errors import NotSent, Unanswered
from core.httpx_api import HttpxApi
from core.settings import Policy, Settings
from scenarios.targets.trading import TIMEOUT_S
from scenarios.worlds.sim.client import LinkTransport, MessageApi, within
from scenarios.worlds.sim.deadlines import Deadlines
from scenarios.worlds.sim.message_link import LATENCY_S, MessageLink, Receiver, Request
from scenarios.worlds.sim.run import Run
from scenarios.worlds.sim.servers import AsgiServer, MessageServer, PlainServer
from scenarios.worlds.wire import WireTap
from scenarios.worlds.world import EnvironmentFailed
from simulator.api import Api
from simulator.broker_client import NoData, read_positions
from simulator.deterministic.process import NEUTRAL
from simulator.engine import Engine
from simulator.messages import Messages
from simulator.request import EnableRequest

if TYPE_CHECKING:
    from scenarios.worlds.sim.world import SimWorld

HTTP_S_MAX = 3.0
"""How long the driver waits for an answer of its own."""


class MessageWires:
    """Cores reach their links by the core's own port."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        self._regime: Regime[MessageLink] = Regime()
        self._receivers: dict[str, Receiver] = {}
        self._tap = WireTap(world.recorder)

    def capabilities(self) -> Mapping[type, object]:
        return {Links: self._regime, Requests: self._regime}

    async def lay(self, link: str) -> None:
        target = link.partition("->")[2]
        carrier = MessageLink(
            link,
            loop=self._world.loop,
            server=lambda: self.receiver(target),
            draw=self._world.choices,
            tap=self._tap,
            number=self._regime.number,
        )
        self._regime.carriers[link] = carrier

    def receiver(self, actor: str) -> Receiver | None:
        """Whoever takes requests for the actor; None where nobody listens."""
        receiver = self._receivers.get(actor)
        return receiver if receiver is not None and receiver.process.alive else None

    def core_api(self, service: str) -> dict[str, Any]:
        world = self._world
        link = self._regime.carriers[f"{service}->dtms"]
        connections = Policy().pool_connections
        reached = world.crossings.of(service)
        return {"api": MessageApi(link, world.clock, connections, reached)}

    def settings(self, service: str, policy: Policy) -> Settings:  # noqa: ARG002
        return Settings(policy=policy)

    def ask(self, service: str, target: str) -> Any:
        link = self._regime.carriers.get(f"{service}->{target}")
        deadlines = Deadlines()

        async def over_link(method: str, path: str, body: object) -> tuple[int, object]:
            assert link is not None
            flight = link.send(Request(method, path, body))
            if flight is None:
                raise NotSent("connection refused")
            answer = await within(deadlines, link, flight, TIMEOUT_S)
            return answer.status, answer.body

        async def directly(method: str, path: str, body: object) -> tuple[int, object]:
            answer = await self._exchange(target, Request(method, path, body), TIMEOUT_S)
            if answer is None:
                raise Unanswered(f"{target} does not answer")
            return answer.status, answer.body

        return directly if link is None else over_link

    def broker_of_dtms(self) -> MessageBroker:
        return MessageBroker(self.ask("dtms", "broker"))

    def registry_of_dtms(self) -> MessageRegistry:
        return MessageRegistry(self.ask("dtms", "main-api"))

    def dtms_of_main_api(self) -> MessageDtms:
        return MessageDtms(self.ask("main-api", "dtms"))

    async def open_port(self, run: Run) -> bool:
        return self.receiver(_port(run)) is None

    async def serve_dtms(self, run: Run, messages: Messages, engine: Engine) -> None:  # noqa: ARG002
        reached = self._world.crossings.of("dtms")
        self._receivers[_port(run)] = MessageServer(run.process, messages, reached)

    async def serve_plain(self, run: Run, answer: Any) -> None:
        self._receivers[_port(run)] = PlainServer(run.process, answer)

    def url(self, asker: str, target: str) -> str:
        raise EnvironmentFailed(f"{asker} reaches {target} by HTTP only at fidelity socket")

    async def serve_app(self, run: Run, app: Any) -> None:  # noqa: ARG002
        raise EnvironmentFailed(f"{run.actor} is served by HTTP only at fidelity socket")

    async def http(
        self, actor: str, method: str, path: str, body: bytes | None
    ) -> tuple[int, object] | None:
        answer = await self._exchange(actor, Request(method, path, None, body or b""), HTTP_S_MAX)
        return None if answer is None else (answer.status, answer.body)

    async def aclose(self) -> None:
        self._regime.close()

    async def _exchange(self, actor: str, request: Request, timeout_s: float) -> Answer | None:
        """One exchange over a quiet connection of its own; None where no answer came."""
        loop = self._world.loop
        answered: asyncio.Future[Answer | None] = loop.create_future()
        revoke: Callable[[], object] | None = None

        def settle(answer: Answer | None, _raw: HttpAnswer | None = None) -> None:
            if not answered.done():
                answered.set_result(answer)

        def arrive() -> None:
            nonlocal revoke
            receiver = self.receiver(actor)
            if receiver is None or answered.done():
                settle(None)
                return
            revoke = receiver.process.at_death(lambda: settle(None))
            loop.call_next(receiver.process, receiver.take, request, settle)

        loop.call_later(LATENCY_S, arrive, context=NEUTRAL.copy())
        timer = loop.call_later(LATENCY_S + timeout_s, settle, None, context=NEUTRAL.copy())
        try:
            return await answered
        finally:
            timer.cancel()
            if revoke is not None:
                revoke()


class HttpWires(MessageWires):
    """Cores run the real httpx on a transport of links; the server is its ASGI application."""

    def core_api(self, service: str) -> dict[str, Any]:
        world = self._world
        link = self._regime.carriers[f"{service}->dtms"]
        transport = LinkTransport(link, Policy().pool_connections, world.crossings.of(service))
        api = HttpxApi("http://127.0.0.1:8001", now=world.clock.now, transport=transport)
        return {"api": api}

    async def serve_dtms(self, run: Run, messages: Messages, engine: Engine) -> None:
        app = Api(
            engine,
            messages=messages,
            monotonic=self._world.clock.monotonic,
            new_id=lambda: "dtms",
        )
        reached = self._world.crossings.of("dtms")
        self._receivers[_port(run)] = AsgiServer(run.process, app, reached)


class MessageBroker:
    """The broker, as DTMS asks it."""

    def __init__(self, ask: Any) -> None:
        self._ask = ask

    async def positions(self) -> dict[int, EnableRequest]:
        try:
            status, body = await self._ask("GET", "/positions", None)
        except (NotSent, Unanswered) as error:
            raise NoData(str(error)) from error
        return read_positions(status, body)


class MessageRegistry:
    """The registry, as DTMS asks it."""

    def __init__(self, ask: Any) -> None:
        self._ask = ask

    async def is_owned_elsewhere(self, ticket: int) -> bool | None:
        try:
            status, body = await self._ask(
                "GET", f"/trade-registry/{ticket}?except=dtms_manager", None
            )
        except (NotSent, Unanswered):
            return None
        if status != 200 or not isinstance(body, dict):
            return None
        return body["managed_by"] not in {"", "dtms_manager"}


class MessageDtms:
    """DTMS, as the registry asks it."""

    def __init__(self, ask: Any) -> None:
        self._ask = ask

    async def protects(self, ticket: int) -> bool | None:
        try:
            status, body = await self._ask("GET", f"/dtms/trade/{ticket}", None)
        except (NotSent, Unanswered):
            return None
        if status == 404:
            return False
        if status != 200 or not isinstance(body, dict):
            return None
        return bool(body["trade_info"]["protection_active"])


def _port(run: Run) -> str:
    """A second instance comes for the same port."""
    return run.actor.removesuffix("-second")
