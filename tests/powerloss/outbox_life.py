"""A run of the outbox on a forgetful disk, and what an outbox shows."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

from core.outbox import Stored
from core.outcome import Closed, Conflict, Outcome, Registered, Rejected
from core.sqlite_outbox import SqliteOutbox
from core.trade import Direction, Trade
from simulator.forgetful_disk import ForgetfulDisk
from simulator.forgetful_sqlite import SqliteOn
from tests.powerloss.crashes import Life, all_lost

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAIT_S = 10
Told = dict[int, tuple[str, Trade | None]]
"""The state of each ticket, and the trade where it is pending."""
Step = tuple[list[Outcome], Trade]
"""Conclusions, and the put that ends their waiting: one transaction."""


def trade(ticket: int, volume: float = 1.0) -> Trade:
    # A comment-like symbol: long rows fill pages, so that the tree grows.
    return Trade(ticket, "X" * 300, Direction.BUY, 2350.0, volume)


def steps(seed: int, count: int) -> list[Step]:
    chance = random.Random(seed)
    made: list[Step] = []
    for n in range(count):
        outcomes = [
            chance.choice((Registered, Closed))(ticket)
            if chance.random() < 0.6
            else chance.choice((Rejected, Conflict))(ticket, "told so")
            for ticket in sorted({chance.randint(1, count) for _ in range(chance.randint(0, 2))})
        ]
        again = n and chance.random() < 0.3
        made.append((outcomes, trade(chance.randint(1, n) if again else n + 1)))
    return made


def opened(
    disk: ForgetfulDisk, path: Path, kind: type[SqliteOutbox] = SqliteOutbox, **given: object
) -> SqliteOutbox:
    return kind.open(path, now=NOW, connect=SqliteOn(disk, **given))


def shown(outbox: SqliteOutbox) -> Told:
    pending = {intent.ticket: intent.trade for intent in outbox.pending()}
    return {ticket: (word, pending.get(ticket)) for ticket, word in outbox.outcomes().items()}


def asked(outbox: SqliteOutbox, step: Step) -> list[Future]:
    outcomes, put = step
    return [*map(outbox.conclude, outcomes), outbox.put(put, "c")]


def writes(told: Told, step: Step) -> list[bool]:
    """Which of what `asked` asks for cannot be told where nothing can be written."""
    outcomes, put = step
    concluded = {o.ticket: o.ticket in told and told[o.ticket][0] != o.word for o in outcomes}
    is_there = put.ticket in told and told[put.ticket][0] in {"PENDING", "CLOSED", "REGISTERED"}
    return [*concluded.values(), not is_there]


def told_after(told: Told, step: Step, stored: object) -> Told:
    """What the acknowledgements of the step say, on top of what was told before."""
    outcomes, put = step
    after = told | {o.ticket: (o.word, None) for o in outcomes if o.ticket in told}
    if isinstance(stored, Stored):
        state = stored.intent.state
        after[put.ticket] = (state, stored.intent.trade if state == "PENDING" else None)
    return after


def lived(
    path: Path,
    seed: int,
    count: int,
    kind: type[SqliteOutbox] = SqliteOutbox,
    noted: Callable[[], object] = lambda: None,
    **given: object,
) -> Life:
    """One step after the other, each waited for; then an orderly end. `noted` is called when it is
    written down at how many operations a step was acknowledged."""
    disk = ForgetfulDisk()
    life = Life(disk)
    outbox = opened(disk, path, kind, **given)
    told: Told = {}
    life.note(told, len(disk.history))
    for step in steps(seed, count):
        results = [future.result(WAIT_S) for future in asked(outbox, step)]
        told = told_after(told, step, results[-1])
        life.note(told, len(disk.history))
        noted()
    outbox.close()
    return life


def found(path: Path):
    """Opens what is left, works on, loses the power again: shows what the opening showed."""

    def look(disk: ForgetfulDisk) -> Told:
        outbox = opened(disk, path)
        before = shown(outbox)
        assert outbox.report.set_aside is None
        assert isinstance(outbox.put(trade(999), "c").result(WAIT_S), Stored)
        left = disk.after_power_loss(all_lost)
        outbox.close()
        again = opened(left, path)
        assert shown(again) == before | {999: ("PENDING", trade(999))}
        again.close()
        return before

    return look
