"""Logs: JSON lines on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TextIO


class Log:
    """One object a line: time, level, event, and whatever belongs to it."""

    def __init__(self, now: Callable[[], datetime], stream: TextIO | None = None) -> None:
        self._now = now
        self._stream = stream

    def info(self, event: str, **fields: object) -> None:
        """Something worth knowing."""
        self._emit("INFO", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something that may become trouble."""
        self._emit("WARNING", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Something that somebody must look at."""
        self._emit("ERROR", event, fields)

    def _emit(self, level: str, event: str, fields: dict[str, object]) -> None:
        line = {"time": self._now().isoformat(), "level": level, "event": event, **fields}
        print(json.dumps(line, default=str), file=self._stream or sys.stderr)
