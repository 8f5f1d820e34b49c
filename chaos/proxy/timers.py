"""What is to happen later on a connection, by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timers:
    """At most one timer of each name; setting it again replaces it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._handles: dict[str, asyncio.TimerHandle] = {}

    def now_s(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    def after(self, name: str, delay_s: float, do: Callable[[], None]) -> None:
        """Does it `delay_s` from now, at once for a time that has passed."""
        self.stop(name)
        self._handles[name] = self._loop.call_later(max(0.0, delay_s), do)

    def stop(self, *names: str) -> None:
        """These do not happen any more; all of them for no names."""
        for name in names or tuple(self._handles):
            handle = self._handles.pop(name, None)
            if handle is not None:
                handle.cancel()
