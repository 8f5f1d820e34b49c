"""What a watching person would have seen of a service: alerts, and events from WARNING on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

import msgspec

from core.alerts import Alert
from core.events import Level

EVENTS_MAX = 10_000
TOLD_LEVELS = frozenset(level.name for level in Level if level >= Level.WARNING)
KEPT = ("level", "event", "ticket", "reason")


class Notebook:
    """Stands for a core's log stream and alert sink; `mirror` gets every line as well."""

    def __init__(self, mirror: TextIO | None = None) -> None:
        self.alerts: list[dict[str, object]] = []
        self.events: list[dict[str, object]] = []
        self._mirror = mirror

    def emit(self, alert: Alert) -> None:
        """An alert was raised."""
        told = {"level": alert.level.name, "event": alert.event, "ticket": alert.ticket}
        if len(self.alerts) < EVENTS_MAX:
            self.alerts.append({**told, "reason": alert.reason})

    def write(self, line: str) -> int:
        """An event was logged."""
        self.take(msgspec.json.decode(line))
        return len(line) if self._mirror is None else self._mirror.write(line)

    def take(self, event: Mapping[str, object]) -> None:
        """An event was logged, and is told as it is."""
        if event["level"] in TOLD_LEVELS and len(self.events) < EVENTS_MAX:
            self.events.append({name: event.get(name) for name in KEPT})
