"""Which fault happens when, as data. Times are seconds since the faults began."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.fault import Fault
from chaos.refusal import refuse_unless
from chaos.request import OPS, Op

TIMES_MAX = 10_000
"""How often one `every` may happen."""


@dataclass(frozen=True, slots=True)
class Window:
    """From `start_s` to `end_s`; None is until everything heals."""

    start_s: float
    end_s: float | None


@dataclass(frozen=True, slots=True)
class Timed:
    """The fault is in force in each window, and in none where there are no windows."""

    fault: Fault
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class AfterRequest:
    """The fault comes into force when the `n`-th request of operation `op` was seen, plus a small
    offset that the seed decides, and stays for `for_s`; None is until everything heals."""

    fault: Fault
    n: int
    for_s: float | None
    op: Op


Scheduled = Timed | AfterRequest


def during(start_s: float, end_s: float, fault: Fault) -> Scheduled:
    """The fault from `start_s` to `end_s`."""
    refuse_unless(start_s >= 0, f"A fault cannot begin at {start_s} s.")
    refuse_unless(end_s > start_s, f"A fault from {start_s} s cannot end at {end_s} s.")
    return Timed(fault, (Window(start_s, end_s),))


def at(t_s: float, fault: Fault) -> Scheduled:
    """The fault from `t_s` until everything heals."""
    refuse_unless(t_s >= 0, f"A fault cannot begin at {t_s} s.")
    return Timed(fault, (Window(t_s, None),))


def every(period_s: float, fault: Fault, *, for_s: float, times: int) -> Scheduled:
    """The fault for `for_s` at `period_s`, twice `period_s`, and so on, `times` times."""
    refuse_unless(
        0 < for_s < period_s,
        f"A fault every {period_s} s lasts more than 0 s and less than that, not {for_s} s.",
    )
    refuse_unless(1 <= times <= TIMES_MAX, f"A fault happens 1 to {TIMES_MAX} times, not {times}.")
    starts = [period_s * n for n in range(1, times + 1)]
    return Timed(fault, tuple(Window(start, start + for_s) for start in starts))


def after_request(
    n: int, fault: Fault, *, for_s: float | None = None, op: Op = "enable"
) -> Scheduled:
    """The fault once the `n`-th request, counted from 1, was seen: crashes tied to an event find
    more than crashes at any time."""
    refuse_unless(n >= 1, f"Requests are counted from 1; there is no request {n}.")
    refuse_unless(for_s is None or for_s > 0, f"A fault does not last {for_s} s.")
    refuse_unless(op in OPS, f"There is no operation {op!r}; there are {', '.join(sorted(OPS))}.")
    return AfterRequest(fault, n, for_s, op)
