"""A coroutine that runs in callbacks, without a task around it: begun at once, at a third of the
cost. Code in it that asks for its task finds none: no `asyncio.timeout` and no task groups there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Errand:
    """Runs when it is called, up to where it waits first; from there it goes on by itself.

    `over` is told when it has ended. What it raises is raised by the callback.
    """

    __slots__ = ("_over", "coroutine")

    def __init__(
        self, coroutine: Coroutine[Any, Any, None], over: Callable[[Errand], object]
    ) -> None:
        self.coroutine = coroutine
        self._over = over

    def __call__(self, _ended: object = None) -> None:
        try:
            awaited = self.coroutine.send(None)
        except StopIteration:
            self._over(self)
            return
        except BaseException:
            self._over(self)
            raise
        if awaited is None:
            asyncio.get_running_loop().call_soon(self)
        else:
            # As a task says to a future that it has understood.
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self)
