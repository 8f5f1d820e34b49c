"""Makes a failing plan small: trades, services, faults, then schedule and other choices.

Delta debugging over everything that decides the episode, each as data. It works because decisions
are keyed by what they are about: leaving one out shifts none of the others. What stays large that
way is tried again with luck, and with one crash in the place of several faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from typing import TypeVar

from chaos.faults import CrashAt
from chaos.nemesis import NotOffered
from chaos.schedule import AfterRequest, Scheduled
from scenarios.exploration.ddmin import ddmin
from scenarios.exploration.deaths import beside, with_a_death
from scenarios.exploration.judged import Judged, judged
from scenarios.exploration.seedling import SERVER
from scenarios.workload import Execute, Lane, Operation, Register
from scenarios.worlds.sim.play import Decisions, Plan
from scenarios.worlds.world import EnvironmentFailed
from simulator.deterministic.loop import SimulationError
from simulator.deterministic.schedule import KINDS

PLAYS_MAX = 1_500
"""How many episodes shrinking one failure may play."""
ROUNDS_MAX = 4
TRADES_LARGE, FAULTS_LARGE = 3, 2
"""What is larger than that is tried again, with luck."""
LUCK = 9
"""How many other seeds, and other aims, are tried for each step then."""

OTHERS_MAX = 600
"""How many episodes may go into exchanging faults for others."""
FAILED_TO_PLAY = (EnvironmentFailed, NotOffered, SimulationError, ValueError)
"""What is raised where a plan makes no sense."""

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
        self._luck = 0
        self.plays = 0
        self.best = failing

    def shrink(self) -> Shrunk:
        """Until nothing can be left out any more, or PLAYS_MAX is reached."""
        self._spell_out()
        self._try(replace(self.best.plan, decisions={}, choices={}))
        self._keep_only_what_broke()
        self._rounds()
        if self._is_large() and self._put_others_in_their_place():
            self._rounds()
        if self._is_large():
            self._luck = LUCK
            self._rounds()
        return Shrunk(self.best, self.plays)

    def _rounds(self) -> None:
        for _round in range(ROUNDS_MAX):
            before = self.best.plan
            self._leave_out_trades()
            self._leave_out_services()
            self._leave_out_faults()
            self._aim_sooner()
            self._leave_out_decisions()
            self._leave_out_choices()
            if self.best.plan is before:
                break

    def _is_large(self) -> bool:
        plan = self.best.plan
        trades = len(tickets_of(plan.lanes or ()))
        return trades > TRADES_LARGE or len(plan.faults or ()) > FAULTS_LARGE

    def _spell_out(self) -> None:
        """Says as data what the seed had decided."""
        plan = self.best.plan
        if plan.choices is not None and plan.decisions is not None and plan.lanes is not None:
            return
        noted = self._played(plan, note=True)
        if noted is None:
            return
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

    def _keep_only_what_broke(self) -> None:
        """Without the trades that the checker does not name. A crash that counts what came before
        has then less to count, so it is aimed anew."""
        verdict = self.best.verdicts[self._checker]
        tickets = frozenset(getattr(verdict, "tickets", ()))
        lanes = self.best.plan.lanes or ()
        if not tickets or tickets >= set(tickets_of(lanes)):
            return
        left = tuple(kept for lane in lanes if (kept := _only(lane, tickets)) is not None)
        plan = replace(self.best.plan, lanes=left)
        if not self._try(plan):
            any(self._try(aimed) for aimed in _aimed_anew(plan))

    def _put_others_in_their_place(self) -> bool:
        """In the place of the faults one death, with none or one fault besides."""
        best, tries = self.best.plan, self.plays
        faults = best.faults or ()
        hit = dict.fromkeys(getattr(scheduled.fault, "actor", SERVER) for scheduled in faults)
        for lanes in self._fewer_lanes():
            for other in beside(faults):
                plan = replace(best, lanes=lanes, faults=other, decisions={}, choices={})
                quiet = self._played(plan, trail=True)
                for deadly in with_a_death(quiet, hit) if quiet is not None else ():
                    if self.plays - tries >= OTHERS_MAX:
                        return False
                    if self._try(deadly):
                        self._spell_out()
                        return True
        return False

    def _fewer_lanes(self) -> Iterator[tuple[Lane, ...]]:
        """Those about tickets that the checker names, at once; then all lanes."""
        lanes = self.best.plan.lanes or ()
        tickets = getattr(self.best.verdicts[self._checker], "tickets", ())
        for ticket in tickets[:1]:
            about = [kept for lane in lanes if (kept := _only(lane, frozenset({ticket})))]
            first_s = min((lane.at_s for lane in about), default=0.0)
            yield tuple(replace(lane, at_s=lane.at_s - first_s) for lane in about)
        yield lanes

    def _leave_out_trades(self) -> None:
        lanes = self.best.plan.lanes or ()

        def keep(tickets: Sequence[int]) -> Plan:
            kept = frozenset(tickets)
            left = tuple(lane for lane in (_only(lane, kept) for lane in lanes) if lane)
            return replace(self.best.plan, lanes=left)

        self._minimise(tuple(tickets_of(lanes)), keep, self._try_anyhow)
        self._keep_only_what_broke()
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

        def keep(left: Sequence[Scheduled]) -> Plan:
            return replace(self.best.plan, faults=tuple(left))

        self._minimise(faults, keep, self._try_anyhow)

    def _aim_sooner(self) -> None:
        """A fault that comes after the first is easier to follow than one after the eleventh."""
        tries = list(_aimed_anew(self.best.plan))
        any(self._try(aimed) for aimed in reversed(tries))

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

    def _minimise(
        self,
        items: Sequence[T],
        plan_of: Callable[[Sequence[T]], Plan],
        attempt: Callable[[Plan], bool] | None = None,
    ) -> None:
        """Whatever still fails without some of the items becomes the best."""
        ddmin(items, lambda left: (attempt or self._try)(plan_of(left)))

    def _try_anyhow(self, plan: Plan) -> bool:
        """As `_try`; with luck, also with crashes aimed anew, and as other seeds would play it: a
        smaller plan may need another schedule than the larger one did."""
        if self._try(plan):
            return True
        if not self._luck:
            return False
        if any(self._try(aimed) for aimed in islice(_aimed_anew(plan), self._luck)):
            return True
        for number in range(self._luck):
            seed, schedule = plan.seed + number, KINDS[number % len(KINDS)]
            other = replace(plan, seed=seed, schedule=schedule, decisions=None, choices=None)
            if self._try(other):
                self._spell_out()
                return True
        return False

    def _try(self, plan: Plan) -> bool:
        """Whether the plan fails in the same way; then it is the best so far."""
        outcome = self._played(plan)
        if outcome is None or self._checker not in outcome.broken:
            return False
        self.best = outcome
        return True

    def _played(self, plan: Plan, *, note: bool = False, trail: bool = False) -> Judged | None:
        """None where the plan cannot be played, or enough were: too little is left, such as a fault
        on a link that nobody uses any more."""
        if self.plays >= self._plays_max:
            return None
        self.plays += 1
        try:
            return judged(plan, note=note, trail=trail)
        except FAILED_TO_PLAY:
            return None


def _aimed_anew(plan: Plan) -> Iterator[Plan]:
    """The plan with each crash that counts, alone and then all of them, counting less."""
    faults = plan.faults or ()
    counted = [number for number, fault in enumerate(faults) if _count(fault) > 0]
    for less in range(1, max((_count(faults[n]) for n in counted), default=0) + 1):
        for chosen in (*((number,) for number in counted), tuple(counted)):
            if all(_count(faults[number]) >= less for number in chosen):
                yield replace(
                    plan,
                    faults=tuple(
                        _counting_less(fault, less) if number in chosen else fault
                        for number, fault in enumerate(faults)
                    ),
                )


def _count(scheduled: Scheduled) -> int:
    """What comes before the fault happens, where it counts something."""
    if isinstance(scheduled, AfterRequest):
        return scheduled.n - 1
    return scheduled.fault.nth if isinstance(scheduled.fault, CrashAt) else 0


def _counting_less(scheduled: Scheduled, less: int) -> Scheduled:
    if isinstance(scheduled, AfterRequest):
        return replace(scheduled, n=scheduled.n - less)
    assert isinstance(scheduled.fault, CrashAt)
    return replace(scheduled, fault=replace(scheduled.fault, nth=scheduled.fault.nth - less))


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
