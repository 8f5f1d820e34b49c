"""The state everything came to, as the auditor read it after settling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from scenarios.evidence.reading import by_ticket, integer, items, mapping, text
from scenarios.evidence.shared import once_per_history
from scenarios.evidence.terms import Terms
from scenarios.history import History, Op

UNIVERSAL = "universal_sl_tp_manager"
DTMS = "dtms_manager"
OTHERS = frozenset({"intelligent_exit_manager", "legacy_exit_manager"})

Presence = Literal["active", "idle", "closed", "absent", "unreadable", "unread"]
"""`idle`: there and open, but protection is said not to be active. `unread`: nobody looked."""


@dataclass(frozen=True, slots=True)
class Final:
    """`read` is the operation that read the trades; None where it never succeeded."""

    read: Op | None
    trades: Mapping[int, object]
    managers: Mapping[int, str] | None
    universal: tuple[int, ...] | None
    indices: tuple[int, ...]

    @classmethod
    def of(cls, history: History) -> Final:
        """From the last reading of each kind."""
        return _final(history)

    def presence(self, ticket: int) -> Presence:
        """How the DTMS API holds the ticket."""
        if ticket not in self.trades:
            return "unread"
        held = self.trades[ticket]
        if held is None:
            return "absent"
        if not isinstance(held, dict):
            return "unreadable"
        info = mapping(held.get("trade_info"))
        if (held.get("state") or info.get("state")) == "CLOSED":
            return "closed"
        return "idle" if info.get("protection_active") is False else "active"

    def terms(self, ticket: int) -> Terms | None:
        """The terms the DTMS API holds under the ticket."""
        return Terms.of(mapping(self.trades.get(ticket)).get("trade_info"))

    def elsewhere(self, ticket: int) -> bool:
        """Whether a manager other than DTMS has it."""
        if self.universal is not None and ticket in self.universal:
            return True
        return self.managers is not None and self.managers.get(ticket) in OTHERS

    def there(self, ticket: int) -> bool:
        """Whether anybody manages it."""
        return self.presence(ticket) == "active" or self.elsewhere(ticket)


@once_per_history
def _final(history: History) -> Final:
    read, managers = _last(history, "read-all"), _last(history, "who-manages")
    universal = _last(history, "universal")
    tickets = (integer(ticket) for ticket in items(universal.value if universal else None))
    return Final(
        read=read,
        trades=by_ticket(read.value if read else None),
        managers=(
            None
            if managers is None
            else {t: text(name) or "" for t, name in by_ticket(managers.value).items()}
        ),
        universal=None if universal is None else tuple(t for t in tickets if t is not None),
        indices=tuple(op.index for op in (read, managers, universal) if op is not None),
    )


def _last(history: History, f: str) -> Op | None:
    done = [
        call.completion
        for call in history.calls(f, service="auditor")
        if call.completion is not None and call.ended == "ok"
    ]
    done += [op for op in history.notes(f, "auditor") if op.type == "ok"]
    return max(done, key=lambda op: op.index, default=None)
