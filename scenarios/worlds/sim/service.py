"""A trading service around the reference core, as a simulated process.

Answers what `scenarios.targets.reference_service` answers, without its threads: the core lives in
the loop, so the bridge is not part of the simulation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from core.errors import OutboxFailed, RegistrationError, TradeRefused
from core.events import Level
from core.outbox import Contradicted
from core.outcome import Conflict
from core.ownership import UniversalManager
from core.production import Core
from core.recovery import Positions, recover, recover_until_clear
from core.registrar import Limits
from core.trade import Trade, normalise
from core.waiting import ended_within
from scenarios.targets.answers import told
from scenarios.targets.notebook import Notebook
from simulator.deterministic.loop import SimLoop
from simulator.deterministic.process import Process


class SimService:
    """Lives in `process`. `boot` first; requests that come meanwhile wait for it."""

    def __init__(
        self,
        process: Process,
        core: Core,
        notebook: Notebook,
        positions: Positions | None,
        manager: UniversalManager | None = None,
    ) -> None:
        self.process = process
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        self._loop = loop
        self.booted: asyncio.Future[None] = loop.create_future()
        self._core = core
        self._notebook = notebook
        self._positions = positions
        self._manager = manager
        self._recovering: asyncio.Task[None] | None = None
        self._tasks: int | None = None

    async def boot(self) -> None:
        """Goes on with what is pending; whatever was executed and never accepted is found."""
        core, positions, manager = self._core, self._positions, self._manager
        await core.start()
        if positions is not None:
            so_far = await recover(core, positions, manager)
            every_s = core.policy.resume_interval_s
            self._recovering = asyncio.create_task(
                recover_until_clear(core, positions, manager, so_far, every_s=every_s)
            )
        self.booted.set_result(None)

    async def stop(self) -> None:
        """Ends in good order."""
        if self._recovering is not None:
            self._recovering.cancel()
            await asyncio.gather(self._recovering, return_exceptions=True)
        await self._core.aclose()

    async def answer(self, request: Mapping[str, object]) -> dict[str, object]:
        """The answer to one request of the protocol."""
        if not self.booted.done():
            await asyncio.wait([self.booted])
        match request["op"]:
            case "register":
                if self._tasks is None:
                    self._tasks = self._count_tasks()
                return await self._register(request)
            case "settle":
                return await self._settle(float(str(request["timeout_s"])))
            case "audit":
                return self._audit()
            case _:
                return {"detail": "there is no such operation"}

    async def _settle(self, timeout_s: float) -> dict[str, object]:
        """Waits until the recovery is clear and nothing is pending."""
        deadline = self._core.clock.monotonic() + timeout_s
        if self._recovering is not None:
            await ended_within(self._recovering, timeout_s)
        left_s = max(0.0, deadline - self._core.clock.monotonic())
        return {"pending": [intent.ticket for intent in await self._core.settle(left_s)]}

    async def _register(self, request: Mapping[str, object]) -> dict[str, object]:
        ticket, data = request["ticket"], request["trade"]
        assert isinstance(ticket, int)
        assert isinstance(data, dict | Mapping)
        try:
            trade = normalise(ticket, data)
        except TradeRefused as error:
            return self._refused(ticket, error)
        try:
            match request["via"]:
                case "register":
                    return await self._drive(trade, None)
                case "helper":
                    retries, timeout_s = request["retry_count"], request["timeout_s"]
                    limits = Limits(int(str(retries)), float(str(timeout_s)))
                    return {**await self._drive(trade, limits), "detail": "helper"}
                case _:
                    return await self._hand_over(trade)
        except OutboxFailed as error:
            return {"registered": False, "detail": f"not accepted: {error}"}

    async def _drive(self, trade: Trade, limits: Limits | None) -> dict[str, object]:
        """Accepts and waits for the outcome, as a service that cares does."""
        accepted = await self._core.accept(trade, limits)
        if isinstance(accepted, Conflict):
            return told(accepted)
        if not await ended_within(accepted, self._core.policy.deadline_s):
            return {"registered": None, "detail": "pending"}
        try:
            return told(accepted.result())
        except RegistrationError as error:
            return {"registered": None, "detail": str(error)}

    async def _hand_over(self, trade: Trade) -> dict[str, object]:
        """Accepts and goes on, as `auto_register_dtms` does."""
        putting = self._core.put(trade)
        stored = await asyncio.wrap_future(putting)
        self._core.begin(putting)
        return {"registered": not isinstance(stored, Contradicted), "detail": "auto"}

    def _refused(self, ticket: int, error: TradeRefused) -> dict[str, object]:
        self._core.events.emit(
            Level.ERROR, "trade_refused", ticket=ticket, outcome="REJECTED", reason=str(error)
        )
        return {"registered": False, "detail": f"rejected: {error}"}

    def _audit(self) -> dict[str, object]:
        core = self._core
        tasks = self._count_tasks()
        grown = 0 if self._tasks is None else max(0, tasks - self._tasks)
        return {
            "pending": [intent.ticket for intent in core.pending()],
            "outcomes": {str(ticket): state for ticket, state in core.outcomes().items()},
            "alerts": self._notebook.alerts,
            "events": self._notebook.events,
            "leaks": {"tasks": grown, "threads": 0, "sockets": 0, "files": 0},
        }

    def _count_tasks(self) -> int:
        """Unfinished tasks of this process; tasks are named by their owner."""
        name = self.process.name
        return sum(1 for task in self._loop.unfinished() if task.get_name() == name)


Make = Callable[[Process], SimService]
