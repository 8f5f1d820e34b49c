"""Bugs planted into the reference client, beside those of `planted`: one part exchanged each."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from core.alerts import Alerts
from core.breaker import Breaker, State
from core.gate import ReadinessGate
from core.outbox import Contradicted, Intent, Stored
from core.outcome import Outcome, Registered
from core.production import Core
from core.registrar import Limits
from core.trade import Trade
from scenarios.worlds.sim.outbox import DiskOutbox
from scenarios.worlds.sim.parts import Parts
from scenarios.worlds.sim.service import SimService
from simulator.deterministic.disk import Disk


class StrategyIgnored(Core):
    """Takes every trade to DTMS, whoever shall manage it."""

    def put(self, trade: Trade) -> Future[Stored | Contradicted]:
        return super().put(replace(trade, strategy_type=None))


class BothManagers(Core):
    """Registers with DTMS what the Universal Manager took: to be on the safe side."""

    async def _route(self, intent: Intent, limits: Limits | None) -> Outcome:
        outcome = await super()._route(intent, limits)
        if isinstance(outcome, Registered) and intent.trade.strategy_type is not None:
            await self._registrar.drive(intent, limits)
        return outcome


class LeavesItToNobody(Core):
    """What the Universal Manager refuses is done with."""

    async def _route(self, intent: Intent, limits: Limits | None) -> Outcome:
        if intent.trade.strategy_type is None or self._universal is None:
            return await super()._route(intent, limits)
        with_errors = await asyncio.gather(
            self._universal.manage(intent.trade), return_exceptions=True
        )
        return Registered(intent.ticket, managed_by=str(with_errors))


class ForgetfulOutbox(DiskOutbox):
    """Keeps what was promised in memory."""

    def __init__(self, disk: Disk, alerts: Alerts) -> None:
        super().__init__(disk, alerts)
        self._intents.clear()


class PromisesFirst(SimService):
    """Says "accepted" before it is on the disk, and does not look what becomes of that."""

    async def _hand_over(self, trade: Trade) -> dict[str, object]:
        asyncio.get_running_loop().call_later(0.1, self._begin, trade)
        return {"registered": True, "detail": "auto"}

    def _begin(self, trade: Trade) -> None:
        putting = self._core.put(trade)
        putting.add_done_callback(lambda _done: self._core.begin(putting))


class OpenGate(ReadinessGate):
    """Takes every server for ready."""

    def is_fresh(self, now: float) -> bool:
        self.on_ready(now)
        return True


class SendsBeforeReady(Core):
    """Does not ask whether the API is ready."""

    async def start(self) -> None:
        await super().start()
        self._registrar.gate = OpenGate(self.policy.gate_cache_s)


class SilentAlerts(Alerts):
    """Counts failures, and tells nobody."""

    def on_failure(self, now: float, ticket: int | None, reason: str, **fields: object) -> None:
        self._failures += 1


class FailsSilently(Core):
    """Swallows what goes wrong while it sends."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.alerts = SilentAlerts(self.events)


class LeavesTasks(Core):
    """Starts a task for each registration that nobody ever ends."""

    def put(self, trade: Trade) -> Future[Stored | Contradicted]:
        self.left: list[asyncio.Task[None]] = getattr(self, "left", [])
        self.left.append(asyncio.get_running_loop().create_task(self._watch()))
        return super().put(trade)

    async def _watch(self) -> None:
        await asyncio.sleep(600.0)


class NeverOpens(Breaker):
    """Counts failures, and lets everything through."""

    def state(self, now: float) -> State:
        return State.CLOSED

    def allow(self, now: float) -> bool:
        return True


class KnocksWhileOpen(Core):
    """Its breaker is opened, and nobody asks it."""

    async def start(self) -> None:
        await super().start()
        policy = self.policy
        breaker = NeverOpens(policy.breaker_threshold, policy.breaker_cooldown_s)
        self._registrar.breaker = breaker


HERE = "scenarios.zoo.cores"
STRATEGY_IGNORED = Parts(f"{HERE}:STRATEGY_IGNORED", core=StrategyIgnored)
BOTH_MANAGERS = Parts(f"{HERE}:BOTH_MANAGERS", core=BothManagers)
LEAVES_IT_TO_NOBODY = Parts(f"{HERE}:LEAVES_IT_TO_NOBODY", core=LeavesItToNobody)
FORGETS_AT_CRASH = Parts(f"{HERE}:FORGETS_AT_CRASH", outbox=ForgetfulOutbox)
PROMISES_FIRST = Parts(f"{HERE}:PROMISES_FIRST", service=PromisesFirst)
SENDS_BEFORE_READY = Parts(f"{HERE}:SENDS_BEFORE_READY", core=SendsBeforeReady)
FAILS_SILENTLY = Parts(f"{HERE}:FAILS_SILENTLY", core=FailsSilently)
LEAVES_TASKS = Parts(f"{HERE}:LEAVES_TASKS", core=LeavesTasks)
KNOCKS_WHILE_OPEN = Parts(f"{HERE}:KNOCKS_WHILE_OPEN", core=KnocksWhileOpen)
