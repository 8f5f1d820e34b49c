"""Drives one registration: gate, breaker, send, judge, retry, read back, conclude.

Every decision is made elsewhere, by pure functions; here they are carried out in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from core.acceptance import (
    READY,
    Absent,
    Accepted,
    Conflicting,
    Differs,
    Present,
    Readiness,
    Refused,
    Retryable,
    Unclear,
    judge_enable,
    judge_health,
    judge_lookup,
)
from core.alerts import Alert, Alerts
from core.breaker import Breaker
from core.breaker import State as BreakerState
from core.budget import RetryBudget
from core.clock import Clock
from core.errors import RegistrationError
from core.events import Events, Level
from core.gate import ReadinessGate
from core.metrics import Metrics
from core.outbox import Intent
from core.outcome import Closed, Conflict, Outcome, Pending, Registered, Rejected
from core.payload import enable_payload
from core.port import Answer, DtmsApi
from core.retry import GiveUp, RetryPolicy, Wait, next_step
from core.settings import Policy

CLOSED_STATE = "CLOSED"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one caller asked for instead of the policy's values."""

    retries: int | None = None
    timeout_s: float | None = None


@dataclass(slots=True)
class _Drive:
    """How far one drive has come. `unknown`: something was sent that may have happened; `gated`:
    the last try ended before the send, at the readiness gate, and `waits` counts those;
    `contradicted`: the API said yes, and then something else."""

    intent: Intent
    policy: RetryPolicy
    timeout_s: float
    started_at: float
    failures: int = 0
    waits: int = 0
    gated: bool = False
    unknown: bool = False
    contradicted: bool = False
    acknowledged: Accepted | None = None
    retry_after_s: float | None = None
    reason: str = ""


class Registrar:
    """One for each process and API. Not thread-safe: it lives in one event loop."""

    def __init__(
        self,
        api: DtmsApi,
        *,
        policy: Policy,
        clock: Clock,
        draw: Callable[[], float],
        alerts: Alerts,
        events: Events,
        metrics: Metrics,
    ) -> None:
        self._api = api
        self._policy = policy
        self._clock = clock
        self._draw = draw
        self._alerts = alerts
        self._events = events
        self._metrics = metrics
        self.breaker = Breaker(policy.breaker_threshold, policy.breaker_cooldown_s)
        self.gate = ReadinessGate(policy.gate_cache_s)
        self._budget = RetryBudget(policy.budget_ratio, policy.budget_min)
        self._asking = asyncio.Lock()
        self._retrying = RetryPolicy(
            policy.retries, policy.base_s, policy.factor, policy.cap_s, policy.deadline_s
        )

    async def drive(self, intent: Intent, limits: Limits | None = None) -> Outcome:
        """Sends until the outcome is known or the attempts are used up; then it is Pending.

        The intent is durable already. Never raises for what the network or the API does.
        """
        drive = self._begin(intent, limits)
        outcome = await self._until_known(drive)
        if isinstance(outcome, Pending) and drive.unknown and self.may_send():
            outcome = await self._read_back(drive, outcome)
        self._tell(drive, outcome)
        return outcome

    async def find(self, intent: Intent) -> Present | Absent | Differs | Unclear:
        """Looks up a trade that nobody drives; Unclear where gate or breaker say no."""
        readiness = await self._readiness()
        if not readiness.ready:
            return Unclear(readiness.reason)
        if not self.breaker.allow(self._clock.monotonic()):
            return Unclear("the breaker is open")
        found = await self._look_up(self._begin(intent, None))
        if not isinstance(found, Unclear):
            self._succeeded()
        return found

    def may_send(self) -> bool:
        """Whether the breaker would let something through now; takes no probe."""
        now = self._clock.monotonic()
        return self.breaker.state(now) is not BreakerState.OPEN

    def retry_in_s(self) -> float:
        """How long the breaker stays open; 0 where it is not."""
        return self.breaker.retry_in_s(self._clock.monotonic())

    async def is_ready(self) -> bool:
        """Whether the API is ready: from what is known, or asked once, whoever waits for it."""
        return (await self._readiness()).ready

    def _begin(self, intent: Intent, limits: Limits | None) -> _Drive:
        now, policy, timeout_s = self._clock.monotonic(), self._retrying, self._policy.timeout_s
        if limits is not None:
            if limits.retries is not None:
                policy = replace(policy, retries=limits.retries)
            if limits.timeout_s is not None:
                timeout_s = limits.timeout_s
        return _Drive(intent, policy, timeout_s, now)

    async def _until_known(self, drive: _Drive) -> Outcome:
        while True:
            outcome = await self._attempt(drive)
            if outcome is not None:
                return outcome
            step = self._next_step(drive)
            if isinstance(step, GiveUp):
                return _pending(drive, f"{step.reason}: {drive.reason}")
            await self._clock.sleep(step.seconds)

    def _next_step(self, drive: _Drive) -> Wait | GiveUp:
        """Waiting for readiness uses up time, but none of the attempts."""
        elapsed_s = self._clock.monotonic() - drive.started_at
        policy, failures = drive.policy, drive.failures
        if drive.gated:
            drive.waits += 1
            policy, failures = replace(policy, retries=drive.waits), drive.waits
        else:
            drive.failures += 1
            failures = drive.failures
        return next_step(policy, failures, elapsed_s, self._draw(), drive.retry_after_s)

    async def _attempt(self, drive: _Drive) -> Outcome | None:
        """One try; None when it failed in a way that may be tried again."""
        readiness = await self._readiness()
        drive.gated, drive.retry_after_s = not readiness.ready, readiness.retry_after_s
        if not readiness.ready:
            drive.reason = readiness.reason
            if not self.may_send():
                return _pending(drive, f"the breaker is open: {readiness.reason}")
            return None
        now = self._clock.monotonic()
        if drive.failures and not self._budget.try_spend(now):
            self._metrics.retries_denied.inc()
            return _pending(drive, f"the retry budget is spent: {drive.reason}")
        if not self.breaker.allow(now):
            return _pending(drive, "the breaker is open")
        if not drive.failures:
            self._budget.on_first_send(now)
        if drive.acknowledged is not None:
            return await self._verify(drive, drive.acknowledged)
        return await self._send(drive)

    async def _send(self, drive: _Drive) -> Outcome | None:
        intent = drive.intent
        self._metrics.attempts.inc()
        try:
            answer = await self._api.enable(
                enable_payload(intent.trade),
                timeout_s=drive.timeout_s,
                correlation_id=intent.correlation_id,
            )
        except RegistrationError as error:
            drive.unknown = drive.unknown or not error.definite
            self._failed(drive, f"{type(error).__name__}: {error}")
            return None
        match judge_enable(intent.trade, answer):
            case Accepted() as accepted:
                self._succeeded()
                return await self._accepted(drive, accepted)
            case Conflicting(reason):
                self._succeeded()
                return Conflict(intent.ticket, reason)
            case Refused(reason):
                self._succeeded()
                return Rejected(intent.ticket, reason)
            case Retryable(reason, wait_s):
                drive.retry_after_s = wait_s
                drive.unknown = drive.unknown or answer.status != 429
                self._failed(drive, reason, answer)
                return None

    async def _accepted(self, drive: _Drive, accepted: Accepted) -> Outcome | None:
        ticket = drive.intent.ticket
        if accepted.state == CLOSED_STATE:
            return Closed(ticket)
        if not self._policy.verify:
            return Registered(ticket, accepted.already)
        drive.acknowledged, drive.unknown = accepted, True
        return await self._verify(drive, accepted)

    async def _verify(self, drive: _Drive, accepted: Accepted) -> Outcome | None:
        """The API said yes; is the trade there?"""
        ticket = drive.intent.ticket
        match await self._look_up(drive):
            case Present(state):
                self._succeeded()
                if state == CLOSED_STATE:
                    return Closed(ticket)
                return Registered(ticket, accepted.already, verified=True)
            case Differs(reason):
                # Whether there is a conflict, the API says when it is sent the trade again.
                self._contradicted(drive, f"read back otherwise: {reason}")
                return None
            case Unclear(reason, wait_s):
                drive.retry_after_s = wait_s
                drive.reason = f"not read back: {reason}"
                return None
            case _:
                self._contradicted(drive, "not there when read back")
                return None

    def _contradicted(self, drive: _Drive, reason: str) -> None:
        """Its yes does not count: the next try sends again."""
        drive.acknowledged, drive.contradicted = None, True
        self._failed(drive, f"acknowledged, and {reason}")

    async def _read_back(self, drive: _Drive, outcome: Pending) -> Outcome:
        """The attempts are used up and one of them may have happened.

        What reads otherwise is no conflict yet: one garbled answer would make it one for good. The
        next drive sends again, and is told with a 409.
        """
        ticket = drive.intent.ticket
        if not self.breaker.allow(self._clock.monotonic()):
            return outcome
        match await self._look_up(drive):
            case Present(state):
                self._succeeded()
                return Closed(ticket) if state == CLOSED_STATE else Registered(ticket, True, True)
            case Differs(reason):
                self._failed(drive, f"read back otherwise: {reason}")
                return replace(outcome, reason=drive.reason)
            case _:
                return outcome

    async def _look_up(self, drive: _Drive) -> Present | Absent | Differs | Unclear:
        intent = drive.intent
        try:
            answer = await self._api.lookup(
                intent.ticket, timeout_s=drive.timeout_s, correlation_id=intent.correlation_id
            )
        except RegistrationError as error:
            reason = f"{type(error).__name__}: {error}"
            self._failed(drive, reason)
            return Unclear(reason)
        judged = judge_lookup(intent.trade, answer)
        if isinstance(judged, Unclear):
            self._failed(drive, judged.reason, answer)
        return judged

    async def _readiness(self) -> Readiness:
        """Asks at most once for everybody who waits; who comes later takes the same answer."""
        arrived = self._clock.monotonic()
        if self.gate.is_fresh(arrived):
            return READY
        async with self._asking:
            now = self._clock.monotonic()
            if self.gate.is_fresh(now):
                return READY
            if self.gate.refused_since(arrived):
                return Readiness(False, self.gate.reason)
            if not self.breaker.allow(now):
                return Readiness(False, "the breaker is open")
            return await self._ask_health()

    async def _ask_health(self) -> Readiness:
        try:
            answer = await self._api.health(timeout_s=self._policy.timeout_s)
        except RegistrationError as error:
            readiness = Readiness(False, f"{type(error).__name__}: {error}")
        else:
            readiness = judge_health(answer)
        now = self._clock.monotonic()
        if readiness.ready:
            self.gate.on_ready(now)
            if self.breaker.state(now) is BreakerState.HALF_OPEN:
                # Only as the probe: where registrations fail, good health does not make up for it.
                self.breaker.on_success(now)
        else:
            self.gate.on_refusal(now, readiness.reason)
            self.breaker.on_failure(now)
            self._alerts.on_failure(now, None, f"the DTMS API is not ready: {readiness.reason}")
        self._show_breaker(now)
        return readiness

    def _succeeded(self) -> None:
        now = self._clock.monotonic()
        self.breaker.on_success(now)
        self.gate.on_ready(now)
        self._alerts.on_success()
        self._show_breaker(now)

    def _failed(self, drive: _Drive, reason: str, answer: Answer | None = None) -> None:
        """Counts a failure. An answer below 500 shows a server that is at work."""
        now = self._clock.monotonic()
        drive.reason = reason
        self._metrics.failed_attempts.inc()
        if answer is None or answer.status >= 500:
            self.breaker.on_failure(now)
            self.gate.on_trouble()
        elif answer.status != 200:
            self.breaker.on_success(now)
        self._show_breaker(now)
        self._alerts.on_failure(
            now,
            drive.intent.ticket,
            reason,
            attempt=drive.failures,
            correlation_id=drive.intent.correlation_id,
        )

    def _show_breaker(self, now: float) -> None:
        self._metrics.breaker_open.set(self.breaker.state(now) is BreakerState.OPEN)

    def _tell(self, drive: _Drive, outcome: Outcome) -> None:
        took_s = self._clock.monotonic() - drive.started_at
        self._metrics.outcomes.labels(outcome.word).inc()
        self._metrics.latency.observe(took_s)
        level = Level.INFO
        if isinstance(outcome, Rejected | Conflict):
            level = Level.ERROR
            event = f"registration_{outcome.word.lower()}"
            self._alerts.raise_alert(Alert(level, event, outcome.ticket, outcome.reason))
        elif isinstance(outcome, Pending):
            level = Level.WARNING
            if drive.contradicted:
                alert = Alert(Level.ERROR, "api_contradicts_itself", outcome.ticket, outcome.reason)
                self._alerts.raise_alert(alert)
        self._events.emit(
            level,
            "registration",
            ticket=outcome.ticket,
            outcome=outcome.word,
            attempt=drive.failures,
            correlation_id=drive.intent.correlation_id,
            reason=getattr(outcome, "reason", ""),
            seconds=round(took_s, 6),
        )


def _pending(drive: _Drive, reason: str) -> Pending:
    asked_s = drive.retry_after_s or 0.0
    return Pending(drive.intent.ticket, reason, drive.failures > 0, asked_s)
