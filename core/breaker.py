"""The circuit breaker: while a server is down for long, nothing is sent to it.

After M. Nygard, "Release It!" (2007). Knows nothing of requests; it is told of successes and
failures, and asked whether one more may be tried.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """CLOSED lets everything through, OPEN nothing, HALF_OPEN one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Event(StrEnum):
    """What can happen to a breaker."""

    SUCCESS = "success"
    FAILURE = "failure"
    LIMIT = "limit"
    COOLED = "cooled"


TRANSITIONS: dict[State, dict[Event, State]] = {
    State.CLOSED: {
        Event.SUCCESS: State.CLOSED,
        Event.FAILURE: State.CLOSED,
        Event.LIMIT: State.OPEN,
    },
    State.OPEN: {
        Event.SUCCESS: State.OPEN,
        Event.FAILURE: State.OPEN,
        Event.LIMIT: State.OPEN,
        Event.COOLED: State.HALF_OPEN,
    },
    State.HALF_OPEN: {
        Event.SUCCESS: State.CLOSED,
        Event.FAILURE: State.OPEN,
        Event.LIMIT: State.OPEN,
    },
}
"""Answers to what was sent before it opened do not close an OPEN breaker."""


class Breaker:
    """Opens after `threshold` consecutive failures, lets one probe through after `cooldown_s`."""

    def __init__(self, threshold: int = 5, cooldown_s: float = 30.0) -> None:
        self._threshold = threshold
        self._cooldown_s = cooldown_s
        self._state = State.CLOSED
        self._failures = 0
        self._opened_at = 0.0
        self._probe_until = 0.0
        self._probing = False

    def state(self, now: float) -> State:
        """The state at `now`, seconds of the same clock as everywhere."""
        if self._state is State.OPEN and now - self._opened_at >= self._cooldown_s:
            self._enter(Event.COOLED, now)
        return self._state

    def allow(self, now: float) -> bool:
        """Whether one more send may be tried; a yes in HALF_OPEN takes the only probe.

        A probe that is never concluded is forgotten after `cooldown_s`, so that a caller that
        was cancelled cannot keep the breaker shut.
        """
        match self.state(now):
            case State.CLOSED:
                return True
            case State.HALF_OPEN if not self._probing or now >= self._probe_until:
                self._probing, self._probe_until = True, now + self._cooldown_s
                return True
            case _:
                return False

    def retry_in_s(self, now: float) -> float:
        """How long until the next send may be tried; 0 where one may now."""
        match self.state(now):
            case State.OPEN:
                return max(0.0, self._opened_at + self._cooldown_s - now)
            case State.HALF_OPEN if self._probing:
                return max(0.0, self._probe_until - now)
            case _:
                return 0.0

    def on_success(self, now: float) -> None:
        """An answer came that shows the server at work."""
        self.state(now)
        self._failures = 0
        self._enter(Event.SUCCESS, now)

    def on_failure(self, now: float) -> None:
        """No answer, or one that shows the server in trouble."""
        self.state(now)
        self._failures += 1
        limit = self._failures >= self._threshold
        self._enter(Event.LIMIT if limit else Event.FAILURE, now)

    def _enter(self, event: Event, now: float) -> None:
        before, self._state = self._state, TRANSITIONS[self._state][event]
        if self._state is State.OPEN and before is not State.OPEN:
            self._opened_at = now
        if self._state is not State.HALF_OPEN or before is not State.HALF_OPEN:
            self._probing = False
        if self._state is State.CLOSED and before is not State.CLOSED:
            self._failures = 0
