"""Ctrl-C and SIGTERM as a wish, looked at between two steps so that none is left half done."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Inside, what is yielded says whether the end is wished for. Who insists, by a second signal,
    gets `KeyboardInterrupt` at once."""
    wished = False

    def wish(_number: int, _frame: object) -> None:
        nonlocal wished
        if wished:
            raise KeyboardInterrupt
        wished = True

    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, wish) for number in signals}
    try:
        yield lambda: wished
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
