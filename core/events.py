"""What happened, as JSON lines: one object for each event, with the same names everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import partial
from typing import TextIO

from core.clock import Clock


class Level(IntEnum):
    """How much it matters; the numbers are those of the standard library's logging."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


Take = Callable[[Mapping[str, object]], object]
"""Gets events as they are, before they are lines."""
_ENCODER = json.JSONEncoder(default=str)
"""Made once: making one costs more than a line."""


class Events:
    """Writes events of `level` and above to `stream`: anything that has `write`, or a function
    that takes them as values.

    A stream that fails must not cost a registration: what could not be written is counted in
    `lost`, and the next event that can be written says so.
    """

    def __init__(
        self, stream: TextIO | Take, *, clock: Clock, service: str, level: Level = Level.INFO
    ) -> None:
        self.lost = 0
        self._take: Take = stream if callable(stream) else partial(_write, stream)
        self._clock = clock
        self._service = service
        self._level = level

    def emit(self, level: Level, event: str, **fields: object) -> None:
        """One line; `fields` are JSON values such as ticket, attempt, correlation_id, outcome."""
        if level < self._level:
            return
        line: dict[str, object] = {
            "time": self._clock.now().isoformat(),
            "level": level.name,
            "event": event,
            "service": self._service,
            **fields,
        }
        if self.lost:
            line["events_lost_before"] = self.lost
        try:
            self._take(line)
        except (OSError, ValueError):
            # A closed or full stream. There is nowhere left to tell it but the next line.
            self.lost += 1
        else:
            self.lost = 0


def _write(stream: TextIO, event: Mapping[str, object]) -> None:
    stream.write(_ENCODER.encode(event) + "\n")
