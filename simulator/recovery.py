"""What a restarted DTMS does with each ticket. Pure.

The broker is the truth about what is open, but only when it answers: "no data" changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from simulator.ledger import Registration, registration_of
from simulator.request import EnableRequest
from simulator.states import State


@dataclass(frozen=True, slots=True)
class Recovered:
    """`registrations` is all that counts from now on; `changed` of it must be stored first.
    `unowned` are tickets at the broker of which nobody could tell who manages them."""

    registrations: tuple[Registration, ...]
    changed: tuple[Registration, ...]
    adopted: tuple[int, ...]
    unowned: tuple[int, ...]


def recover(
    stored: Sequence[Registration],
    positions: Mapping[int, EnableRequest] | None,
    owned_elsewhere: Mapping[int, bool | None],
    now: str,
) -> Recovered:
    """In the store and at the broker: restored, the broker's data winning. In the store, and the
    broker answered without it: closed. At the broker only: adopted, unless another manager owns
    it or that cannot be told (None in `owned_elsewhere`). `positions` None: restored as stored.
    """
    if positions is None:
        return Recovered(tuple(stored), (), (), ())
    kept: list[Registration] = []
    changed: list[Registration] = []
    for row in stored:
        after = _against_broker(row, positions.get(row.ticket), now)
        kept.append(after)
        if after != row:
            changed.append(after)
    known = {row.ticket for row in stored}
    adopted, unowned = [], []
    for ticket, position in positions.items():
        if ticket in known:
            continue
        owned = owned_elsewhere.get(ticket, False)
        if owned is None:
            unowned.append(ticket)
        elif not owned:
            adopted.append(registration_of(position, now))
    return Recovered(
        (*kept, *adopted),
        (*changed, *adopted),
        tuple(row.ticket for row in adopted),
        tuple(unowned),
    )


def _against_broker(row: Registration, position: EnableRequest | None, now: str) -> Registration:
    if not row.active:
        return row
    if position is None:
        return msgspec.structs.replace(row, state=State.CLOSED, last_updated=now)
    true = registration_of(position, row.registered_at)
    corrected = msgspec.structs.replace(true, state=row.state, last_updated=row.last_updated)
    if corrected == row:
        return row
    return msgspec.structs.replace(corrected, last_updated=now)
