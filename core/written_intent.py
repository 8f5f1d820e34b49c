"""An intent as it is written down: a row of plain values, its trade as JSON."""

from __future__ import annotations

import json
from dataclasses import fields

from core.outbox import Intent, IntentState
from core.trade import Direction, Trade

_TRADE_FIELDS = tuple(f.name for f in fields(Trade))
Row = tuple[int, str, str, IntentState, str]
"""Ticket, trade, correlation id, state, reason."""


def written(intent: Intent) -> Row:
    """The row of an intent."""
    trade = json.dumps({name: getattr(intent.trade, name) for name in _TRADE_FIELDS})
    return (intent.ticket, trade, intent.correlation_id, intent.state, intent.reason)


def read(row: Row) -> Intent:
    """The intent of a row."""
    _ticket, trade, correlation_id, state, reason = row
    stored = json.loads(trade)
    stored["direction"] = Direction(stored["direction"])
    return Intent(Trade(**stored), correlation_id, state, reason)
