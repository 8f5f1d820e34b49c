"""What happened, as JSON lines: one object for each event, with the same names everywhere."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import TextIO

from core.clock import Clock


class Level(IntEnum):
    """How much it matters; the numbers are those of the standard library's logging."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


_ENCODER = json.JSONEncoder(default=str)
"""Made once: making one costs more than a line."""


class Events:
    """Writes events of `level` and above to `stream`, which may be anything that has `write`.

    A stream that fails must not cost a registration: what could not be written is counted in
    `lost`, and the next event that can be written says so.
    """

    def __init__(
        self, stream: TextIO, *, clock: Clock, service: str, level: Level = Level.INFO
    ) -> None:
        self.lost = 0
        self._stream = stream
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
            self._stream.write(_ENCODER.encode(line) + "\n")
        except (OSError, ValueError):
            # A closed or full stream. There is nowhere left to tell it but the next line.
            self.lost += 1
        else:
            self.lost = 0
