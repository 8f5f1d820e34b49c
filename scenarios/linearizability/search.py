"""Looks for an order of the operations on one object that its model allows.

J. Wing, C. Gong, "Testing and Verifying Concurrent Objects" (JPDC 1993), with the memory of
G. Lowe, "Testing for linearizability" (CCPE 2017): a set of operations that led to a state is not
looked at twice. Besides, without losing an order:

- an operation that only reads, and is allowed, is put first at once: it stands in nobody's way;
- an operation of unknown outcome need not be there: it is tried last, only where it changes the
  state, not behind another one without which it would come to the same state, not where it would
  keep from its place what must come next, and of those that ask the same the one that began first;
- what was reached with more operations of unknown outcome than before is not looked at.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import msgspec

from scenarios.linearizability.model import IMPOSSIBLE, UNKNOWN, Model, Operation, State

Used = tuple[int, ...]
"""How many operations of each kind of unknown outcome are in the order: the first so many."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """What was put in order, and how things stood before: a known operation by its number, or one
    of unknown outcome by -1 minus its kind. With `settled` nothing else need be tried here."""

    event: int
    state: State
    first: int
    done: int
    used: Used
    settled: bool


class Search:
    """Over the operations on one object; `run` until it says whether there is an order.

    `steps` counts the operations that were tried in a place, `remembered` what it has in memory, in
    units of a small state; with `memory` of them it gives up. `farthest`: all that had ended before
    this index could be put in order.
    """

    def __init__(self, model: Model, operations: Sequence[Operation], memory: int) -> None:
        self.steps = 0
        self._memory = memory
        self.remembered = 0
        self.farthest = 0
        self._step = model.step
        self._may_help = model.may_help
        self._state: State = model.begin
        known = sorted((o for o in operations if o.ended is not None), key=lambda o: o.began)
        self._known = known
        self._reads = [model.only_reads(o.f, o.outcome) for o in known]
        self._kinds = _kinds(operations)
        # Calls and returns in their order, as a list from which pairs can be taken and put back.
        count = len(known)
        events = sorted(
            [(o.began, n) for n, o in enumerate(known)]
            + [(o.ended or 0, n + count) for n, o in enumerate(known)]
        )
        self._places = [0] * (2 * count)
        self._events = [0] * (2 * count + 2)
        for place, (_index, event) in enumerate(events, start=1):
            self._places[event] = place
            self._events[place] = event
        self._next = list(range(1, 2 * count + 3))
        self._before = list(range(-1, 2 * count + 1))
        self._at = 1
        self._end = 2 * count + 1
        self._first = 0
        """All known operations below this number are in the order,"""
        self._done = 0
        """and of those from it on, those whose bit is set."""
        self._used: Used = (0,) * len(self._kinds)
        self._path: list[Frame] = []
        self._seen: dict[tuple[int, int, State], list[Used]] = {}

    def run(self, steps: int) -> bool | None:
        """Whether there is an order; None where that is not known after so many steps more, or the
        memory is full."""
        until = self.steps + steps
        count, end = len(self._known), self._end
        after, events, step = self._next, self._events, self._step
        known, reads = self._known, self._reads
        while after[0] != end:
            if self.steps >= until or self.full:
                return None
            self.steps += 1
            at = self._at
            event = events[at]
            if event >= count:
                if not self._try_unknown(0, event - count) and not self._go_back():
                    return False
                continue
            operation = known[event]
            state = step(self._state, operation.f, operation.asked, operation.outcome)
            if state is IMPOSSIBLE or not self._put(event, state, reads[event]):
                self._at = after[at]
        return True

    @property
    def full(self) -> bool:
        """It gave up for want of memory."""
        return self.remembered >= self._memory

    @property
    def order(self) -> tuple[Operation, ...]:
        """The order that was found; to be asked for once `run` has said that there is one."""
        return tuple(
            self._known[frame.event]
            if frame.event >= 0
            else self._kinds[-1 - frame.event][frame.used[-1 - frame.event]]
            for frame in self._path
        )

    @property
    def state(self) -> State:
        """What the order leads to."""
        return self._state

    def _put(self, event: int, state: State, settled: bool) -> bool:
        """Puts a known operation in order, unless that leads where it has been."""
        first, done = self._first, self._done | 1 << event - self._first
        while done & 1:
            first, done = first + 1, done >> 1
        if not settled and not self._is_new(first, done, self._used, state):
            return False
        self._path.append(Frame(event, self._state, self._first, self._done, self._used, settled))
        self._take(event)
        self._first, self._done, self._state, self._at = first, done, state, self._next[0]
        return True

    def _try_unknown(self, first_kind: int, blocked: int) -> bool:
        """All that began before `blocked` ended was tried: goes on with an operation of unknown
        outcome, of this kind or a later one, if one leads anywhere."""
        ended = self._known[blocked].ended
        assert ended is not None
        self.farthest = max(self.farthest, ended)
        before, used = self._state, self._used
        last = self._path[-1] if self._path and self._path[-1].event < 0 else None
        for kind in range(first_kind, len(self._kinds)):
            operations, number = self._kinds[kind], used[kind]
            if number == len(operations) or operations[number].began > ended:
                continue
            f, asked = operations[number].f, operations[number].asked
            if not self._may_help(f, asked, self._known[blocked].outcome):
                continue
            self.steps += 1
            state = self._step(before, f, asked, UNKNOWN)
            if state is IMPOSSIBLE or state == before:
                continue
            if last is not None and state == self._step(last.state, f, asked, UNKNOWN):
                continue
            more = (*used[:kind], number + 1, *used[kind + 1 :])
            if not self._is_new(self._first, self._done, more, state):
                continue
            self._path.append(Frame(-1 - kind, before, self._first, self._done, used, False))
            self._used, self._state, self._at = more, state, self._next[0]
            return True
        return False

    def _go_back(self) -> bool:
        """Takes back the last choice that has an alternative, and goes on behind it."""
        while self._path:
            frame = self._path.pop()
            self._state, self._used = frame.state, frame.used
            self._first, self._done = frame.first, frame.done
            if frame.event < 0:
                if self._try_unknown(-frame.event, self._first_to_end()):
                    return True
            else:
                self._put_back(frame.event)
                if not frame.settled:
                    self._at = self._next[self._places[frame.event]]
                    return True
        return False

    def _first_to_end(self) -> int:
        count, at = len(self._known), self._next[0]
        while self._events[at] < count:
            at = self._next[at]
        return self._events[at] - count

    def _is_new(self, first: int, done: int, used: Used, state: State) -> bool:
        """Whether nothing at least as good was seen; from now on this is."""
        seen = self._seen.setdefault((first, done, state), [])
        for other in seen:
            if all(few <= many for few, many in zip(other, used, strict=True)):
                return False
        seen.append(used)
        self.remembered += 1 + (done.bit_length() >> 8)
        if isinstance(state, frozenset):
            self.remembered += len(state) >> 2
        return True

    def _take(self, event: int) -> None:
        after, before = self._next, self._before
        for at in (self._places[event], self._places[event + len(self._known)]):
            after[before[at]] = after[at]
            before[after[at]] = before[at]

    def _put_back(self, event: int) -> None:
        after, before = self._next, self._before
        for at in (self._places[event + len(self._known)], self._places[event]):
            after[before[at]] = at
            before[after[at]] = at


def _kinds(operations: Sequence[Operation]) -> list[list[Operation]]:
    """Those of unknown outcome, put together that ask the same, each kind in its order."""
    kinds: dict[tuple[str, Hashable], list[Operation]] = {}
    for operation in operations:
        if operation.ended is None:
            kinds.setdefault((operation.f, operation.asked), []).append(operation)
    return [sorted(kind, key=lambda operation: operation.began) for kind in kinds.values()]
