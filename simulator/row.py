"""A registration as a row: its values in the order of the columns, the same in every store."""

from __future__ import annotations

from typing import Any

from simulator.ledger import Registration
from simulator.states import State


def registration_in(row: tuple[Any, ...]) -> Registration:
    """Raises `ValueError` for a state that there is not."""
    ticket, symbol, direction, entry, volume, stop, target, state, registered, updated = row
    return Registration(
        ticket, symbol, direction, entry, volume, stop, target, State(state), registered, updated
    )


def row_of(registration: Registration) -> tuple[object, ...]:
    """What is stored of it."""
    return (
        registration.ticket,
        registration.symbol,
        registration.direction,
        registration.entry_price,
        registration.volume,
        registration.stop_loss,
        registration.take_profit,
        registration.state.value,
        registration.registered_at,
        registration.last_updated,
    )
