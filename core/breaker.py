"""The circuit breaker: while a server is down for long, nothing is sent to it.

After M. Nygard, "Release It!" (2007). Knows nothing of requests; it is told of successes and
failures, and asked whether one more may be tried.
"""

from __future__ import annotations

import math
from enum import StrEnum, auto


class State(StrEnum):
    """CLOSED lets everything through, OPEN nothing, HALF_OPEN one probe."""

    CLOSED = auto()
    OPEN = auto()
    HALF_OPEN = auto()


class Event(StrEnum):
    """What can happen to a breaker."""

    SUCCESS = auto()
    FAILURE = auto()
    LIMIT = auto()
    COOLED = auto()


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
        self._shut_until = -math.inf

    def state(self, now: float) -> State:
        """The state at `now`, seconds of the same clock as everywhere."""
        if self._state is State.OPEN and now >= self._shut_until:
            self._state = TRANSITIONS[State.OPEN][Event.COOLED]
        return self._state

    def allow(self, now: float) -> bool:
        """Whether one more send may be tried; a yes in HALF_OPEN takes the only probe.

        A probe that is never concluded is forgotten after `cooldown_s`, so that a caller that
        was cancelled cannot keep the breaker shut.
        """
        if self.state(now) is State.CLOSED:
            return True
        if now < self._shut_until:
            return False
        self._shut_until = now + self._cooldown_s
        return True

    def retry_in_s(self, now: float) -> float:
        """How long until the next send may be tried; 0 where one may now."""
        return max(0.0, self._shut_until - now)

    def on_success(self, now: float) -> None:
        """An answer came that shows the server at work."""
        self._failures = 0
        if self._changes(Event.SUCCESS, now):
            self._shut_until = -math.inf

    def on_failure(self, now: float) -> None:
        """No answer, or one that shows the server in trouble."""
        self._failures += 1
        limit = self._failures >= self._threshold
        if self._changes(Event.LIMIT if limit else Event.FAILURE, now):
            self._shut_until = now + self._cooldown_s

    def _changes(self, event: Event, now: float) -> bool:
        """Takes in the event, and tells whether the state is another than before."""
        before = self.state(now)
        self._state = TRANSITIONS[before][event]
        return self._state is not before
