"""How long it takes to find an order of very many registrations, a fifth of unknown outcome."""

from __future__ import annotations

import time
from random import Random

from loadtests.bench.figure import Figure
from scenarios.history import History, Op, OpType
from scenarios.linearizability.verdict import judge_by
from scenarios.verdict import Valid

REGISTRATIONS = 100_000
TICKETS = REGISTRATIONS // 2
UNKNOWN_SHARE = 0.2
OPEN_MAX = 50
"""How many are under way at a time."""
LINK = {"link": "bot->dtms", "service": "bot"}


def measure() -> tuple[Figure, ...]:
    history = registrations(REGISTRATIONS, Random(1))
    began = time.process_time()
    verdict, _none = judge_by("registration", history)
    cost_s = time.process_time() - began
    assert isinstance(verdict, Valid), verdict
    return (Figure("linearize_100000_registrations", cost_s, "s CPU", 5.0),)


def registrations(count: int, random: Random) -> History:
    """Each ticket is registered twice, at any time, by a server that does so at once; of those of
    unknown outcome every second was."""
    ops: list[Op] = []
    there: set[int] = set()
    free: list[int] = []
    under_way: list[tuple[int, int, bool | None]] = []

    def tell(lane: int, type_: OpType, value: dict[str, object]) -> None:
        ops.append(Op(len(ops), 10 * len(ops), f"wire/{lane}", type_, "enable", value))

    def end_one() -> None:
        lane, ticket, already = under_way.pop(random.randrange(len(under_way)))
        if already is None:
            tell(lane, "info", {**LINK, "ticket": ticket})
        else:
            free.append(lane)
            body = {"success": True, "already_registered": already}
            tell(lane, "ok", {**LINK, "ticket": ticket, "status": 200, "body": body})

    tickets = [1001 + n % TICKETS for n in range(count)]
    random.shuffle(tickets)
    lanes = 0
    for ticket in tickets:
        if len(under_way) == OPEN_MAX:
            end_one()
        if not free:
            free.append(lanes)
            lanes += 1
        lane = free.pop()
        terms = {"symbol": "X", "direction": "BUY", "entry": 1.0 + ticket, "volume": 1.0}
        tell(lane, "invoke", {**LINK, "ticket": ticket, "payload": terms})
        if random.random() < UNKNOWN_SHARE:
            if random.random() < 0.5:
                there.add(ticket)
            under_way.append((lane, ticket, None))
        else:
            under_way.append((lane, ticket, ticket in there))
            there.add(ticket)
    while under_way:
        end_one()
    return History(tuple(ops))
