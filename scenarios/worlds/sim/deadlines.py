"""The time-outs of one client: a queue of them with a single timer, since nearly none comes due."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from core.errors import Unanswered


class Deadlines:
    """Use it in one process. What waits too long fails with `Unanswered`."""

    def __init__(self) -> None:
        self._queue: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._armed = False

    def watch(self, waiting: asyncio.Future[Any], timeout_s: float) -> None:
        """`waiting` may wait for so long."""
        queue, loop = self._queue, waiting.get_loop()
        while queue and queue[0][1].done():
            queue.popleft()
        due = loop.time() + timeout_s
        if queue and due < queue[-1][0]:
            loop.call_at(due, _time_out, waiting)
            return
        queue.append((due, waiting))
        if not self._armed:
            self._armed = True
            loop.call_at(due, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        queue = self._queue
        while queue:
            due, waiting = queue[0]
            if not waiting.done():
                if due > loop.time():
                    loop.call_at(due, self._look, loop)
                    return
                _time_out(waiting)
            queue.popleft()
        self._armed = False


def _time_out(waiting: asyncio.Future[Any]) -> None:
    if not waiting.done():
        waiting.set_exception(Unanswered("timed out"))
