"""The smallest beginning of a history that has no order.

It may be smaller than where the search for an order of all came to: what became of an operation
counts from its end on, until then it is unknown.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from scenarios.linearizability.model import UNKNOWN, Model, Operation, State
from scenarios.linearizability.search import Search


@dataclass(frozen=True, slots=True)
class Contradiction:
    """With the end of `operation`, no order exists any more. What had ended before has this
    `order`, for one, and comes to this `state` in it; `operation` may stand in it too, with
    another outcome. `order` is None where the budget did not suffice to find it."""

    operation: Operation
    order: tuple[Operation, ...] | None
    state: State


def up_to(operations: Sequence[Operation], index: int) -> list[Operation]:
    """What the history up to that index, itself included, tells of them."""
    return [
        operation
        if operation.ended is not None and operation.ended <= index
        else msgspec.structs.replace(operation, outcome=UNKNOWN, ended=None)
        for operation in operations
        if operation.began <= index
    ]


def smallest_prefix(
    model: Model, operations: Sequence[Operation], farthest: int, steps: int, memory: int
) -> Contradiction:
    """The operation by whose end the smallest prefix without an order ends, and what there was
    before.

    `farthest` is the search's for an order of all, in vain. By bisection, for what has no order has
    none whatever follows; a prefix that `steps` or `memory` do not suffice for counts as if it had
    one.
    """
    ends = sorted(o.ended for o in operations if o.ended is not None and o.ended >= farthest)

    def has_none(index: int) -> bool:
        return Search(model, up_to(operations, index), memory).run(steps) is False

    # Of all it is known that they have none: there need be no search for that.
    last = ends[bisect_left(ends[:-1], True, key=has_none)]
    before = Search(model, up_to(operations, last - 1), memory)
    order = before.order if before.run(steps) else None
    operation = next(o for o in operations if o.ended == last)
    return Contradiction(operation, order, before.state)
