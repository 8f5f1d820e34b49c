"""Judges every object of a history by itself, for linearizability is local; the first that has no
order ends it. After A. Athalye's porcupine, all take turns, so that one that is hard does not hide
another that is easily seen to be wrong. Nothing is searched for where the order in which a few
operations began is one already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from scenarios.linearizability.model import IMPOSSIBLE, Model, Operation
from scenarios.linearizability.prefix import Contradiction, smallest_prefix
from scenarios.linearizability.search import Search

TURN_STEPS = 10_000
"""How long one object is looked at before it is another's turn."""
FEW = 100
"""With more operations an object is searched at once: what is remembered bounds that."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be done: operations put into an order, and orders remembered, in all."""

    steps: int = 20_000_000
    memory: int = 3_000_000


ENOUGH = Budget()
"""Some minutes, and about a gigabyte."""


@dataclass(frozen=True, slots=True)
class Linearizable:
    """Every object has an order."""

    objects: int


@dataclass(frozen=True, slots=True)
class NotLinearizable:
    """This object has none, whatever came of what is unknown: already what was recorded up to
    the end of one operation has none."""

    key: Hashable
    contradiction: Contradiction


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The budget was spent before these objects had been judged."""

    keys: tuple[Hashable, ...]
    steps: int


def linearize(
    model: Model,
    objects: Mapping[Hashable, Sequence[Operation]],
    budget: Budget = ENOUGH,
) -> Linearizable | NotLinearizable | Exhausted:
    """Whether each object's operations have an order that the model allows."""
    waiting = deque(objects.items())
    begun: deque[tuple[Hashable, Search]] = deque()
    steps = memory = 0
    while waiting or begun:
        if waiting:
            key, operations = waiting.popleft()
            if len(operations) <= min(FEW, budget.steps - steps):
                steps += len(operations)
                if began_in_order(model, operations):
                    continue
            search = Search(model, operations, budget.memory - memory)
        else:
            key, search = begun.popleft()
        steps_before, memory_before = search.steps, search.remembered
        found = search.run(min(TURN_STEPS, budget.steps - steps))
        steps += search.steps - steps_before
        memory += search.remembered - memory_before
        if found is False:
            enough = max(budget.steps - steps, TURN_STEPS)
            return NotLinearizable(
                key, smallest_prefix(model, objects[key], search.farthest, enough, budget.memory)
            )
        if found is None:
            begun.append((key, search))
        else:
            memory -= search.remembered
        if begun and (steps >= budget.steps or memory >= budget.memory or search.full):
            left = (*(key for key, _search in begun), *(key for key, _operations in waiting))
            return Exhausted(left, steps)
    return Linearizable(len(objects))


def began_in_order(model: Model, operations: Sequence[Operation]) -> bool:
    """Whether the model allows what is known in the order in which it began. That is an order:
    what had ended when another began, began before it; and the unknown need not be there."""
    state = model.begin
    for known in sorted((o for o in operations if o.ended is not None), key=attrgetter("began")):
        after = model.step(state, known.f, known.asked, known.outcome)
        if after is IMPOSSIBLE:
            return False
        state = after
    return True
