"""Looks for an order of the operations on one object that its model allows.

J. Wing, C. Gong, "Testing and Verifying Concurrent Objects" (JPDC 1993), with the memory of
G. Lowe, "Testing for linearizability" (CCPE 2017): a set of operations that led to a state is not
looked at twice. Besides, without losing an order:

- an operation that only reads, and is allowed, is put first at once: it stands in nobody's way;
- an operation of unknown outcome need not be there: it is tried last, only where it changes the
  state, not behind another one without which it would come to the same state, and of those that
  ask the same the one that began first;
- what was reached with more operations of unknown outcome than before is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.linearizability.model import IMPOSSIBLE, UNKNOWN, Model, Operation, State


class Search:
    """Over the operations on one object; `run` until it says whether there is an order.

    `steps` counts the operations that were tried in a place, `remembered` what it has in memory.
    `farthest`: all that had ended before this index could be put in order.
    """

    def __init__(self, model: Model, operations: Sequence[Operation]) -> None:
        self.steps = 0
        self.remembered = 0
        self._step = model.step
        self._state: State = model.begin
        known = sorted((o for o in operations if o.ended is not None), key=lambda o: o.began)
        self._known = known
        self._reads = [model.only_reads(o.f, o.outcome) for o in known]
        self._unknown = sorted(
            (o for o in operations if o.ended is None), key=lambda operation: operation.began
        )
        self._twins = _twins(self._unknown)
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
        self._done = 0
        self._used = 0
        self._path: list[tuple[int, State, bool]] = []
        """What was put in order: an event, or -1 minus the number of one of unknown outcome; the
        state before; whether nothing else need be tried in its place."""
        self._seen: dict[tuple[int, State], list[int]] = {}
        self.farthest = 0

    def run(self, steps: int) -> bool | None:
        """Whether there is an order; None where that is not known after so many steps more."""
        until = self.steps + steps
        count, end = len(self._known), self._end
        after, events, step = self._next, self._events, self._step
        known, reads = self._known, self._reads
        while after[0] != end:
            if self.steps >= until:
                return None
            self.steps += 1
            at = self._at
            event = events[at]
            if event < count:
                operation, before = known[event], self._state
                state = step(before, operation.f, operation.asked, operation.outcome)
                if state is not IMPOSSIBLE:
                    only_reads, done = reads[event], self._done | 1 << event
                    if only_reads or self._is_new(done, self._used, state):
                        self._path.append((event, before, only_reads))
                        self._take(event)
                        self._done, self._state, self._at = done, state, after[0]
                        continue
                self._at = after[at]
            elif not self._try_unknown(0, event - count) and not self._go_back():
                return False
        return True

    @property
    def order(self) -> tuple[Operation, ...]:
        """The order that was found; to be asked for once `run` has said that there is one."""
        return tuple(
            self._known[event] if event >= 0 else self._unknown[-1 - event]
            for event, _state, _only_reads in self._path
        )

    @property
    def state(self) -> State:
        """What the order leads to."""
        return self._state

    def _try_unknown(self, first: int, blocked: int) -> bool:
        """All that began before `blocked` ended was tried: goes on with an operation of unknown
        outcome from number `first` on, if one leads anywhere."""
        ended = self._known[blocked].ended
        assert ended is not None
        self.farthest = max(self.farthest, ended)
        before = self._state
        is_behind_another = bool(self._path) and self._path[-1][0] < 0
        for number in range(first, len(self._unknown)):
            operation = self._unknown[number]
            if operation.began > ended:
                break
            twin = self._twins[number]
            if self._used >> number & 1 or (twin >= 0 and not self._used >> twin & 1):
                continue
            self.steps += 1
            state = self._step(before, operation.f, operation.asked, UNKNOWN)
            used = self._used | 1 << number
            if state is IMPOSSIBLE or state == before:
                continue
            if is_behind_another and state == self._step(
                self._path[-1][1], operation.f, operation.asked, UNKNOWN
            ):
                continue
            if not self._is_new(self._done, used, state):
                continue
            self._path.append((-1 - number, before, False))
            self._used, self._state, self._at = used, state, self._next[0]
            return True
        return False

    def _go_back(self) -> bool:
        """Takes back the last choice that has an alternative, and goes on behind it."""
        while self._path:
            event, state, only_reads = self._path.pop()
            self._state = state
            if event >= 0:
                self._put_back(event)
                self._done &= ~(1 << event)
                if not only_reads:
                    self._at = self._next[self._places[event]]
                    return True
            else:
                number = -1 - event
                self._used &= ~(1 << number)
                if self._try_unknown(number + 1, self._first_to_end()):
                    return True
        return False

    def _first_to_end(self) -> int:
        count, at = len(self._known), self._next[0]
        while self._events[at] < count:
            at = self._next[at]
        return self._events[at] - count

    def _is_new(self, done: int, used: int, state: State) -> bool:
        """Whether nothing at least as good was seen; from now on this is."""
        seen = self._seen.setdefault((done, state), [])
        for other in seen:
            if other & used == other:
                return False
        seen.append(used)
        self.remembered += 1
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


def _twins(operations: Sequence[Operation]) -> list[int]:
    """For each, the number of the last before it that asked the same; -1 for none."""
    last: dict[object, int] = {}
    twins = []
    for number, operation in enumerate(operations):
        key = (operation.f, operation.asked)
        twins.append(last.get(key, -1))
        last[key] = number
    return twins
