"""Small histories of each model, most of them right, and a judge that tries every order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from random import Random

import msgspec

from scenarios.linearizability.model import IMPOSSIBLE, UNKNOWN, Model, Operation, State
from scenarios.linearizability.models.registration import ABSENT, CLOSED, OPEN

Draw = Callable[[Random], tuple[str, Hashable]]
"""A kind of operation, and what it asks."""
DATA = ("a", "b")
VALUES = (1, 2, 3)
BY_ITSELF = ("restore", "clean-up", "forget")


def _registration(random: Random) -> tuple[str, Hashable]:
    f = random.choice(("enable", "enable", "lookup", "lookup", "close", *BY_ITSELF))
    asked = {"enable": random.choice(DATA), "restore": random.choice((None, *DATA))}
    return f, asked.get(f)


def _register(random: Random) -> tuple[str, Hashable]:
    f = random.choice(("read", "write"))
    return f, random.choice(VALUES) if f == "write" else None


def _cas_register(random: Random) -> tuple[str, Hashable]:
    if random.random() < 1 / 3:
        return "cas", (random.choice((None, *VALUES)), random.choice(VALUES))
    return _register(random)


def _set(random: Random) -> tuple[str, Hashable]:
    f = random.choice(("add", "read"))
    return f, random.choice(VALUES) if f == "add" else None


DRAWS: dict[str, Draw] = {
    "registration": _registration,
    "register": _register,
    "cas-register": _cas_register,
    "set": _set,
}
OUTCOMES: dict[str, tuple[Hashable, ...]] = {
    "enable": ("new", "already", "accepted", "conflict"),
    "lookup": (ABSENT, *((data, state) for data in (None, *DATA) for state in (OPEN, CLOSED))),
    "close": (CLOSED, ABSENT),
    **dict.fromkeys(BY_ITSELF, (UNKNOWN,)),
    "write": (None,),
    "add": (None,),
    "cas": (True, False),
}


def outcomes(f: str, model: Model) -> tuple[Hashable, ...]:
    """All that may be told of an operation of this kind."""
    if f == "read" and model.name == "set":
        return tuple(
            frozenset(v for n, v in enumerate(VALUES) if bits >> n & 1) for bits in range(8)
        )
    return (None, *VALUES) if f == "read" else OUTCOMES[f]


def small(model: Model, random: Random) -> list[Operation]:
    """Up to seven operations, as some order of them has it; in every second history one outcome
    is another then."""
    drawn = []
    # Some begin when others end; ends are apart.
    ends = random.sample(range(0, 60, 2), 21)
    times = [end + random.randint(0, 1) if n % 3 == 0 else end for n, end in enumerate(ends)]
    for n in range(random.randint(1, 7)):
        began, at, ended = sorted(times[3 * n : 3 * n + 3])
        drawn.append((at, began, ended, DRAWS[model.name](random)))
    state, operations = model.begin, []
    for _at, began, ended, (f, asked) in sorted(drawn):
        unknown = f in BY_ITSELF or random.random() < 0.3
        if unknown and random.random() < 0.5:
            operations.append(Operation(f, asked, UNKNOWN, began, None))
            continue
        allowed = [
            o for o in outcomes(f, model) if model.step(state, f, asked, o) is not IMPOSSIBLE
        ]
        outcome = random.choice(allowed)
        following = model.step(state, f, asked, outcome)
        assert following is not IMPOSSIBLE
        state = following
        operations.append(
            Operation(f, asked, UNKNOWN, began, None)
            if unknown
            else Operation(f, asked, outcome, began, ended)
        )
    if random.random() < 0.5:
        n = random.randrange(len(operations))
        operation = operations[n]
        if operation.ended is not None:
            changed = random.choice(outcomes(operation.f, model))
            operations[n] = msgspec.structs.replace(operation, outcome=changed)
    random.shuffle(operations)
    return operations


def has_an_order(model: Model, operations: Sequence[Operation], state: State) -> bool:
    """Tries every order, and for what is unknown that it never happened."""
    known = [operation for operation in operations if operation.ended is not None]
    if not known:
        return True
    first_end = min(operation.ended or 0 for operation in known)
    for n, operation in enumerate(operations):
        if operation.began > first_end:
            continue
        following = model.step(state, operation.f, operation.asked, operation.outcome)
        rest = [*operations[:n], *operations[n + 1 :]]
        if following is not IMPOSSIBLE and has_an_order(model, rest, following):
            return True
    return False
