"""Ends a run whose simulated code does not come back to the loop.

Virtual time stands still while a callback runs, so a loop that never awaits would run for ever. The
machine's clock is asked only about this; nothing that is played can tell.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from simulator.deterministic.loop import SimLoop
from simulator.deterministic.process import ProcessKilled, current_process
from simulator.deterministic.real import refuse

STRETCH_S_MAX = 10.0
"""How long, by the machine's clock, one callback may take, up to twice as long."""


@contextmanager
def watchdog(loop: SimLoop, stretch_s_max: float = STRETCH_S_MAX) -> Iterator[None]:
    """In force inside. Does nothing in another thread than the main one, where signals are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen = -1
    refused = False

    def look(_number: int, frame: FrameType | None) -> None:
        nonlocal seen, refused
        if loop.steps != seen or current_process() is None:
            seen = loop.steps
            return
        if refused:  # it caught that, and goes on
            raise ProcessKilled
        refused = True
        refuse(f"more than {stretch_s_max:g} s without an await, in {_where(frame)}")

    before = signal.signal(signal.SIGALRM, look)
    timer = signal.setitimer(signal.ITIMER_REAL, stretch_s_max, stretch_s_max)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)


def _where(frame: FrameType | None) -> str:
    """The function, and the line; that of the innermost code that is not installed."""
    shown = at = frame
    while at is not None:
        if not at.f_code.co_filename.startswith((sys.prefix, sys.base_prefix, "<")):
            shown = at
            break
        at = at.f_back
    if shown is None:
        return "code that is built in"
    return f"{shown.f_code.co_qualname} ({shown.f_code.co_filename}:{shown.f_lineno})"
