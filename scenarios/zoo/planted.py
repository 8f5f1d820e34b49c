"""Seven bugs planted into the reference core and server, one part exchanged for each.

Each is what real systems have. `PLANTED` tells which checkers may claim it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.breaker import Breaker, State
from core.outbox import Intent
from core.outcome import Outcome, Pending, Rejected
from core.production import Core
from core.registrar import Limits
from core.trade import Trade
from scenarios.worlds.sim.parts import Parts
from scenarios.worlds.sim.service import SimService
from simulator.deterministic.disk import File
from simulator.deterministic.store import DiskStore
from simulator.engine import Enabled, Engine, Status, unknown_ticket
from simulator.ledger import Already, Conflict, Registration, registration_of
from simulator.messages import Messages, Reply
from simulator.persistence import StoreFailed
from simulator.request import EnableRequest, Problem


class EarlyStore(DiskStore):
    """Acknowledges a commit when it is written, and syncs it afterwards."""

    def _make_durable(self, file: File, saves: Any, done: Callable[[OSError | None], None]) -> None:
        file.append(saves)
        file.sync_then(lambda _error: None)
        done(None)


class CheckThenAct(Engine):
    """Looks whether the ticket is there, and registers it a moment later, reserving nothing."""

    async def enable(self, request: EnableRequest) -> Enabled | Problem:
        if not self.initialised:
            return self.not_ready()
        known = self.ledger.get(request.ticket)
        if known is not None:
            decision = self.ledger.decide(request, self.now())
            if isinstance(decision, Already):
                return Enabled(known, already=True)
            assert isinstance(decision, Conflict)
            return self._conflict(known)
        fresh = registration_of(request, self.now())
        try:
            await self.store.save((fresh,))
        except StoreFailed as error:
            return Problem(503, "not_persisted", str(error), {}, 1)
        self.ledger.put(fresh)
        return Enabled(fresh, already=False)


class TimeoutIsFailure(Core):
    """Takes "no answer" for "not registered"."""

    async def _route(self, intent: Intent, limits: Limits | None) -> Outcome:
        outcome = await super()._route(intent, limits)
        if isinstance(outcome, Pending) and outcome.tried:
            return Rejected(outcome.ticket, "timed out")
        return outcome


class SendThenWrite(SimService):
    """Accepts a trade, sends it, and writes it to the outbox when the answer is there."""

    async def _hand_over(self, trade: Trade) -> dict[str, object]:
        self._later = asyncio.get_running_loop().create_task(self._send(trade))
        return {"registered": True, "detail": "auto"}

    async def _send(self, trade: Trade) -> None:
        core = self._core
        outcome = await core._registrar.drive(Intent(trade, core.new_id()))
        putting = core.put(trade)
        await asyncio.wrap_future(putting)
        if outcome.final:
            core._left_flux(putting)
            core.conclude(outcome)
        else:
            core.begin(putting)


class ForgetsWhoItKnew(Engine):
    """After a recovery, what was stored before is new to it when it is asked for again."""

    def _recover(self, stored: Any, positions: Any) -> Any:
        self._strangers = {row.ticket for row in stored}
        return super()._recover(stored, positions)

    async def enable(self, request: EnableRequest) -> Enabled | Problem:
        answer = await super().enable(request)
        if isinstance(answer, Enabled) and answer.already:
            strangers: set[int] = getattr(self, "_strangers", set())
            if request.ticket in strangers:
                strangers.discard(request.ticket)
                return Enabled(answer.registration, already=False)
        return answer


class OpenForEver(Breaker):
    """Never lets a probe through."""

    def state(self, now: float) -> State:
        return self._state

    def allow(self, now: float) -> bool:
        return self._state is State.CLOSED


class NeverHalfOpens(Core):
    """Its breaker, once open, stays open."""

    async def start(self) -> None:
        await super().start()
        policy = self.policy
        breaker = OpenForEver(policy.breaker_threshold, policy.breaker_cooldown_s)
        self._registrar.breaker = breaker


class LooksUpWhileRecovering(Messages):
    """Says that it is ready while it recovers. Registrations wait until it has recovered; look-ups
    do not, and are answered as if nothing were there. It believes itself: a ticket that it called
    unknown is new when it is registered next."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._called_unknown: set[object] = set()

    async def _dtms_health(self) -> Reply:
        if self._recovers():
            return Reply(200, {"ready": True}, None, "/dtms/health")
        return await super()._dtms_health()

    def _known(self, ticket: int) -> Registration | Problem:
        if self._recovers():
            self._called_unknown.add(ticket)
            return unknown_ticket(ticket)
        return super()._known(ticket)

    async def enable(self, *given: Any, **named: Any) -> Reply:
        await self._engine.initialize()
        reply = await super().enable(*given, **named)
        body: Any = reply.body
        if reply.status == 200 and (ticket := body["trade_info"]["ticket"]) in self._called_unknown:
            self._called_unknown.discard(ticket)
            return Reply(200, {**body, "already_registered": False}, None, reply.route)
        return reply

    def _recovers(self) -> bool:
        return self._engine.status is Status.STARTING


HERE = "scenarios.zoo.planted"
ACK_BEFORE_SYNC = Parts(f"{HERE}:ACK_BEFORE_SYNC", store=EarlyStore)
CHECK_THEN_ACT = Parts(f"{HERE}:CHECK_THEN_ACT", engine=CheckThenAct)
TIMEOUT_IS_FAILURE = Parts(f"{HERE}:TIMEOUT_IS_FAILURE", core=TimeoutIsFailure)
SEND_THEN_WRITE = Parts(f"{HERE}:SEND_THEN_WRITE", service=SendThenWrite)
NEW_AGAIN = Parts(f"{HERE}:NEW_AGAIN", engine=ForgetsWhoItKnew)
NEVER_HALF_OPENS = Parts(f"{HERE}:NEVER_HALF_OPENS", core=NeverHalfOpens)
LOOKUP_RACES_RECOVERY = Parts(f"{HERE}:LOOKUP_RACES_RECOVERY", messages=LooksUpWhileRecovering)


@dataclass(frozen=True, slots=True)
class Planted:
    """A bug, in words, and the checkers that may claim it."""

    parts: Parts
    bug: str
    claims: frozenset[str]


PLANTED: tuple[Planted, ...] = (
    Planted(
        ACK_BEFORE_SYNC,
        "the server acknowledges before the sync",
        frozenset({"acknowledged_is_kept", "one_new_answer_per_ticket"}),
    ),
    Planted(
        CHECK_THEN_ACT,
        "the server checks, then acts",
        frozenset({"one_new_answer_per_ticket", "conflict_is_reported", "failure_is_honest"}),
    ),
    Planted(
        TIMEOUT_IS_FAILURE,
        "the client takes a time-out for a failure",
        frozenset({"failure_is_honest"}),
    ),
    Planted(
        SEND_THEN_WRITE,
        "the client writes its outbox after sending",
        frozenset({"acknowledged_is_kept", "unprotected_time_is_bounded"}),
    ),
    Planted(
        NEW_AGAIN,
        "the server registers anew what it recovered",
        frozenset({"one_new_answer_per_ticket"}),
    ),
    Planted(
        NEVER_HALF_OPENS,
        "the breaker never half-opens",
        frozenset({"unprotected_time_is_bounded"}),
    ),
    Planted(
        LOOKUP_RACES_RECOVERY,
        "a look-up races the recovery",
        frozenset({"one_new_answer_per_ticket"}),
    ),
)
