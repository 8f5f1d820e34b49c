"""What is in force on which links: toxics, rules, and a count of all requests that were seen.

Knows no sockets. Carriers, which take requests and bytes along a link, ask their rules and are
told when their conditions change.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from chaos.capabilities import Undo
from chaos.choice import Draw
from chaos.conditions import Conditions, Toxic, under
from chaos.fault import name_of
from chaos.links import check_link, covers
from chaos.refusal import refuse_unless
from chaos.request import Op, Operation, RequestView
from chaos.undo import once
from chaos.verdict import PASS, Forward, Rule, Verdict, combine

KINDS_REMEMBERED_MAX = 200_000
"""Kinds of request on one link whose attempts are counted; the oldest are forgotten."""

Kind = tuple[Operation, int | None]


@dataclass(eq=False, slots=True)
class RuleInForce:
    """A rule, what brought it into force, and how many requests of each kind it was asked about."""

    rule: Rule
    name: str
    entry: object
    asked: dict[Kind, int] = field(default_factory=dict)

    @classmethod
    def of(cls, entry: tuple[str, Rule]) -> RuleInForce:
        """A rule that comes into force by this entry: a pattern of links, and the rule."""
        _pattern, rule = entry
        return cls(rule, name_of(rule), entry)

    def decide(self, request: RequestView, draw: Draw) -> Verdict:
        """The rule's verdict on a request that it has not seen before."""
        kind = (request.op, request.ticket)
        nth = count(self.asked, kind)
        return self.rule.decide(request, nth, draw)


def decide(
    rules: list[RuleInForce], view: RequestView, draw: Draw
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict of all rules, and who had a part in it. Every rule is asked, so that each counts
    what it sees."""
    if not rules:
        return PASS, ()
    decided = [(rule.name, rule.decide(view, draw)) for rule in rules]
    guilty: list[str] = []
    for name, verdict in decided:
        if verdict != PASS:
            guilty.append(name)
        if not isinstance(verdict, Forward):
            break
    return combine(verdict for _name, verdict in decided), tuple(guilty)


def count(seen: dict[Kind, int], kind: Kind) -> int:
    """How many of this kind there were before; remembers that there is one more."""
    nth = seen.get(kind, 0)
    if nth == 0 and len(seen) >= KINDS_REMEMBERED_MAX:
        del seen[next(iter(seen))]
    seen[kind] = nth + 1
    return nth


class Carrier(Protocol):
    """Who carries one link."""

    name: str
    rules: list[RuleInForce]

    async def weather(self, conditions: Conditions) -> None:
        """From now on these are the link's conditions, for what is on its way too."""
        ...


C = TypeVar("C", bound=Carrier)


class Regime(Generic[C]):
    """Offers `Links` and `Requests` over carriers, by the names of their links."""

    def __init__(self) -> None:
        self.carriers: dict[str, C] = {}
        self._toxics: list[tuple[str, Toxic]] = []
        self._rules: list[tuple[str, Rule]] = []
        self._seen: Counter[Op] = Counter()
        self._waiting: list[tuple[int, Op, asyncio.Future[None]]] = []

    def check_new(self, name: str) -> None:
        """Raises `ValueError` for a name that is none, or is taken."""
        check_link(name)
        refuse_unless("*" not in name, f"{name!r} is a pattern, no link.")
        refuse_unless(name not in self.carriers, f"There is a link {name!r} already.")

    def rules_for(self, name: str) -> list[RuleInForce]:
        """The rules that are in force for links of this name."""
        return [RuleInForce.of(entry) for entry in self._rules if covers(entry[0], name)]

    async def toxify(self, link: str, toxic: Toxic) -> Undo:
        """See `Links`."""
        covered = self.covered(link)
        entry = (link, toxic)
        self._toxics.append(entry)
        for each in covered:
            await self.reckon(each)

        async def lift() -> None:
            self._toxics = [other for other in self._toxics if other is not entry]
            for each in self.carriers.values():
                if covers(link, each.name):
                    await self.reckon(each)

        return once(lift)

    async def rule(self, link: str, rule: Rule) -> Undo:
        """See `Requests`."""
        covered = self.covered(link)
        entry = (link, rule)
        self._rules.append(entry)
        for each in covered:
            each.rules.append(RuleInForce.of(entry))

        async def lift() -> None:
            self._rules = [other for other in self._rules if other is not entry]
            for each in self.carriers.values():
                each.rules = [other for other in each.rules if other.entry is not entry]

        return once(lift)

    async def until_seen(self, n: int, op: Op) -> None:
        """See `Requests`."""
        if self._seen[op] < n:
            arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((n, op, arrived))
            await arrived

    def number(self, request: RequestView) -> int:
        """The request's number, counted from 0 through all links; wakes whoever waits for it."""
        number = self._seen["any"]
        self._seen["any"] += 1
        self._seen[request.op] += 1
        for entry in tuple(self._waiting):
            n, op, arrived = entry
            if self._seen[op] >= n:
                self._waiting.remove(entry)
                if not arrived.done():
                    arrived.set_result(None)
        return number

    def covered(self, pattern: str) -> tuple[C, ...]:
        """The carriers of the links that `pattern` means. Raises `ValueError` for none."""
        check_link(pattern)
        covered = tuple(link for name, link in self.carriers.items() if covers(pattern, name))
        there = ", ".join(self.carriers) or "none"
        refuse_unless(bool(covered), f"There is no link {pattern!r}; there are: {there}.")
        return covered

    async def reckon(self, carrier: C) -> None:
        """Puts in force on the link the sum of all that is wrong with it."""
        toxics = [(name_of(t), t) for pattern, t in self._toxics if covers(pattern, carrier.name)]
        await carrier.weather(under(toxics))

    def close(self) -> None:
        """Nobody waits for a request any more."""
        for _n, _op, arrived in self._waiting:
            arrived.cancel()
        self._waiting.clear()
