"""A link that carries whole messages, between a client and a server that a test directs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from chaos.answer import HttpAnswer
from chaos.proxy.tap import Answer, Exchange, Outcome
from chaos.regime import Regime
from scenarios.worlds.sim.message_link import LinkFailed, MessageLink, Request
from simulator.deterministic.loop import SimLoop
from simulator.deterministic.process import Process, current_process

LINK = "bot->dtms"
TRADE = {"symbol": "EURUSD", "direction": "BUY", "entry": 1.1, "volume": 0.1}


@dataclass
class Echo:
    """A server that answers with the trade it got, `after_s` later; None is never."""

    process: Process
    after_s: float | None = 0.0
    got: list[tuple[int | None, float]] = field(default_factory=list)
    """Ticket and time of each request."""

    def take(self, request: Request, reply: Callable[[Answer, HttpAnswer | None], None]) -> None:
        assert current_process() is self.process
        loop = asyncio.get_running_loop()
        payload = request.payload if isinstance(request.payload, dict) else {}
        self.got.append((payload.get("ticket"), round(loop.time(), 6)))
        answer = Answer(200, {"success": True, "trade_info": dict(payload)}, None)
        if self.after_s is not None:
            loop.call_later(self.after_s, reply, answer, None)

    @property
    def tickets(self) -> list[int | None]:
        return [ticket for ticket, _at_s in self.got]


class Memory:
    """A tap that remembers."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.exchanges: list[Exchange] = []
        self.answers: list[Answer] = []
        self.copies: list[Answer | None] = []
        self.outcomes: list[Outcome] = []

    def on_request(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        self.told.append("request")

    def on_answer(self, exchange: Exchange, answer: Answer) -> None:
        self.answers.append(answer)
        self.told.append("answer")

    def on_copy(self, exchange: Exchange, answer: Answer | None) -> None:
        self.copies.append(answer)
        self.told.append("copy")

    def on_end(self, exchange: Exchange, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.told.append("end")


class Lane:
    """The link `bot->dtms`, and who is at its ends."""

    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop
        self.bot = Process("bot")
        self.server: Echo | None = Echo(Process("dtms"))
        self.tap = Memory()
        self.draws: dict[str, float] = {}
        self.regime: Regime[MessageLink] = Regime()
        self.link = self.regime.carriers[LINK] = MessageLink(
            LINK,
            loop=loop,
            server=self._running,
            draw=lambda key: self.draws.get(key.split()[0], 0.0),
            tap=self.tap,
            number=self.regime.number,
        )

    def _running(self) -> Echo | None:
        server = self.server
        return server if server is not None and server.process.alive else None

    async def ask(self, ticket: int = 1001, timeout_s: float = 5.0, path: str = "") -> Any:
        """A request and what came of it: the answer; how the link failed; or "silence", where
        nothing had come when the client gave up."""
        request = Request("POST", "/dtms/trade/enable", {"ticket": ticket, **TRADE})
        if path:
            request = Request("GET", path)
        flight = self.link.send(request)
        if flight is None:
            return "no connection"
        try:
            async with asyncio.timeout(timeout_s):
                return await flight.answered
        except TimeoutError:
            return "silence"
        except LinkFailed as failure:
            return type(failure).__name__
        finally:
            self.link.give_up(flight)

    async def inflict(self, fault: Any) -> Callable[[], Coroutine[Any, Any, None]]:
        return await fault.inflict(self.regime)

    def play(self, script: Callable[[], Coroutine[Any, Any, Any]], settle_s: float = 60.0) -> Any:
        """What the script returns; afterwards whatever is still under way has its time."""

        async def main() -> Any:
            result = await script()
            await asyncio.sleep(settle_s)
            return result

        return self.loop.run(main())

    @property
    def outcome(self) -> Outcome:
        assert len(self.tap.outcomes) == 1, self.tap.told
        return self.tap.outcomes[0]


@pytest.fixture
def lane() -> Iterator[Lane]:
    loop = SimLoop()
    yield Lane(loop)
    loop.close()
    assert loop.unhandled == []
