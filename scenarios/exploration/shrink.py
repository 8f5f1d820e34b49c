"""Makes a failing plan small: trades, services, faults, then schedule and other choices.

Delta debugging (A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE
TSE 2002) over everything that decides the episode, each as data. It works because decisions are
keyed by what they are about: leaving one out shifts none of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from scenarios.exploration.judged import Judged, judged
from scenarios.workload import Execute, Lane, Operation, Register
from scenarios.worlds.sim.play import Decisions, Plan
from scenarios.worlds.world import EnvironmentFailed
from simulator.deterministic.loop import SimulationError

PLAYS_MAX = 600
"""How many episodes shrinking one failure may play."""
ROUNDS_MAX = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest that was found, and how many episodes it took."""

    judged: Judged
    plays: int

    @property
    def size(self) -> dict[str, int]:
        """What is left, counted."""
        plan = self.judged.plan
        return {
            "trades": len(tickets_of(plan.lanes or ())),
            "services": len(plan.scenario.services),
            "faults": len(plan.faults or ()),
            "decisions": sum(len(about) for about in (plan.decisions or {}).values()),
            "choices": len(plan.choices or {}),
        }


class Shrinker:
    """Keeps the smallest plan that breaks `checker`, by default the first that is broken."""

    def __init__(self, failing: Judged, checker: str = "", plays_max: int = PLAYS_MAX) -> None:
        self._checker = checker or failing.broken[0]
        self._plays_max = plays_max
        self.plays = 0
        self.best = failing

    def shrink(self) -> Shrunk:
        """Until nothing can be left out any more, or PLAYS_MAX is reached."""
        self._spell_out()
        self._try(replace(self.best.plan, decisions={}, choices={}))
        for _round in range(ROUNDS_MAX):
            before = self.best.plan
            self._leave_out_trades()
            self._leave_out_services()
            self._leave_out_faults()
            self._leave_out_decisions()
            self._leave_out_choices()
            if self.best.plan is before:
                break
        return Shrunk(self.best, self.plays)

    def _spell_out(self) -> None:
        """Says as data what the seed had decided."""
        plan = self.best.plan
        if plan.choices is not None and plan.decisions is not None and plan.lanes is not None:
            return
        noted = judged(plan, note=True)
        random = Random(f"{plan.scenario.name}:{plan.seed}")
        plan.scenario.start_up(random)
        lanes, faults = plan.scenario.workload(random), plan.scenario.faults(random)
        self._try(
            replace(
                plan,
                lanes=plan.lanes if plan.lanes is not None else lanes,
                faults=plan.faults if plan.faults is not None else faults,
                decisions=noted.played.decisions,
                choices=noted.played.choices,
            )
        )

    def _leave_out_trades(self) -> None:
        lanes = self.best.plan.lanes or ()

        def keep(tickets: Sequence[int]) -> Plan:
            kept = frozenset(tickets)
            left = tuple(lane for lane in map(lambda lane: _only(lane, kept), lanes) if lane)
            return replace(self.best.plan, lanes=left)

        self._minimise(tuple(tickets_of(lanes)), keep)
        lanes = self.best.plan.lanes or ()
        self._minimise(lanes, lambda left: replace(self.best.plan, lanes=tuple(left)))

    def _leave_out_services(self) -> None:
        plan = self.best.plan
        used = {lane.service for lane in plan.lanes or ()}
        for fault in plan.faults or ():
            used.update(name for name in plan.scenario.services if name in str(fault))
        left = tuple(name for name in plan.scenario.services if name in used)
        if left and left != plan.scenario.services:
            self._try(replace(plan, scenario=replace(plan.scenario, services=left)))

    def _leave_out_faults(self) -> None:
        faults = self.best.plan.faults or ()
        self._minimise(faults, lambda left: replace(self.best.plan, faults=tuple(left)))

    def _leave_out_decisions(self) -> None:
        flat = [
            (process, nth, places)
            for process, about in (self.best.plan.decisions or {}).items()
            for nth, places in about.items()
        ]

        def keep(left: Sequence[tuple[str, int, int]]) -> Plan:
            return replace(self.best.plan, decisions=_by_process(left))

        self._minimise(flat, keep)

    def _leave_out_choices(self) -> None:
        items = tuple((self.best.plan.choices or {}).items())

        def keep(left: Sequence[tuple[str, float]]) -> Plan:
            return replace(self.best.plan, choices=dict(left))

        self._minimise(items, keep)

    def _minimise(self, items: Sequence[T], plan_of: Callable[[Sequence[T]], Plan]) -> None:
        """ddmin: drops ever smaller pieces for as long as it still fails."""
        left = list(items)
        if left and self._try(plan_of([])):
            return
        pieces = 2
        while len(left) >= 2 and self.plays < self._plays_max:
            for rest in _without_a_piece(left, pieces):
                if self._try(plan_of(rest)):
                    left, pieces = rest, max(2, pieces - 1)
                    break
            else:
                if pieces >= len(left):
                    return
                pieces = min(len(left), pieces * 2)

    def _try(self, plan: Plan) -> bool:
        """Whether the plan fails in the same way; then it is the best so far."""
        if self.plays >= self._plays_max:
            return False
        self.plays += 1
        try:
            outcome = judged(plan)
        except (EnvironmentFailed, SimulationError, ValueError):
            # Left too little to be played, such as a fault on a link that nobody uses any more.
            return False
        if self._checker not in outcome.broken:
            return False
        self.best = outcome
        return True


def tickets_of(lanes: Sequence[Lane]) -> dict[int, None]:
    """Every ticket, in the order of the lanes."""
    found: dict[int, None] = {}
    for lane in lanes:
        for operation in lane.operations:
            if (ticket := _ticket(operation)) is not None:
                found[ticket] = None
    return found


def _only(lane: Lane, tickets: frozenset[int]) -> Lane | None:
    """The lane without operations about other tickets; None where nothing is left."""
    kept = tuple(op for op in lane.operations if _ticket(op) in tickets or _ticket(op) is None)
    return replace(lane, operations=kept) if kept else None


def _ticket(operation: Operation) -> int | None:
    if isinstance(operation, Execute | Register):
        return operation.position.ticket
    ticket = getattr(operation, "ticket", None)
    return ticket if isinstance(ticket, int) else None


def _by_process(flat: Sequence[tuple[str, int, int]]) -> Decisions:
    decisions: dict[str, dict[int, int]] = {}
    for process, nth, places in flat:
        decisions.setdefault(process, {})[nth] = places
    return decisions


def _without_a_piece(items: list[T], pieces: int) -> Iterator[list[T]]:
    size = -(-len(items) // pieces)
    for start in range(0, len(items), size):
        yield items[:start] + items[start + size :]
