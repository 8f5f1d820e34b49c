"""Ctrl-C that is not lost where it strikes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def noticing_interrupts() -> Iterator[Callable[[], bool]]:
    """Tells whether there was a Ctrl-C inside. It raises `KeyboardInterrupt` as ever, but where it
    strikes in a finalizer or in the callback of a weak reference the interpreter drops that:
    whoever works on asks. In the main thread only; a Ctrl-C that is ignored stays so.
    """
    noticed: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield lambda: False
        return

    def notice(number: int, frame: FrameType | None) -> None:
        noticed.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, notice)
    try:
        yield lambda: bool(noticed)
    finally:
        signal.signal(signal.SIGINT, before)
