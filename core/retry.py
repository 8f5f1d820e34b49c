"""When to try again: exponential back-off with full jitter, within attempts and a deadline.

Full jitter is the variant that M. Brooker's "Exponential Backoff And Jitter" (AWS Architecture
Blog, 2015) found to need the fewest calls: wait uniform(0, min(cap, base * factor ** n)).
"""

from __future__ import annotations

from dataclasses import dataclass

EXPONENT_MAX = 64
"""Beyond it every policy is at its cap; with a factor of at most 100 the power stays finite."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`retries` after the first attempt; times in seconds, `deadline_s` from the first attempt."""

    retries: int = 3
    base_s: float = 1.0
    factor: float = 2.0
    cap_s: float = 30.0
    deadline_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Try again after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further attempt now."""

    reason: str


def backoff_s(policy: RetryPolicy, failures: int, draw: float) -> float:
    """How long to wait after `failures` failed attempts (1 or more); `draw` is from [0, 1)."""
    exponent = min(failures - 1, EXPONENT_MAX)
    return min(policy.cap_s, policy.base_s * policy.factor**exponent) * draw


def next_step(
    policy: RetryPolicy,
    failures: int,
    elapsed_s: float,
    draw: float,
    retry_after_s: float | None,
) -> Wait | GiveUp:
    """What to do after `failures` failed attempts. What the server asked for is never undercut."""
    if failures > policy.retries:
        return GiveUp(f"{failures} attempts failed")
    wait_s = max(backoff_s(policy, failures, draw), retry_after_s or 0.0)
    if elapsed_s + wait_s >= policy.deadline_s:
        return GiveUp(f"the next attempt would pass the deadline of {policy.deadline_s:g} s")
    return Wait(wait_s)
