"""Trades that nobody promised anything about: every call ended in a definite no that was one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scenarios.evidence.exchange import Exchange, deliveries
from scenarios.evidence.reading import text
from scenarios.evidence.reports import Report, reports_by_ticket
from scenarios.history import History

CONFLICT = 409
NOT_ACCEPTED = "not accepted"
"""How a client says that it could not make the intent durable, and so sent nothing."""


@dataclass(frozen=True, slots=True)
class Troubled:
    """A stretch in which the disk of `actor` failed it."""

    actor: str
    since: int
    until: int

    def during(self, report: Report) -> bool:
        """Whether a call of the actor's met it."""
        completion = report.call.completion
        ended = self.until if completion is None else completion.index
        return (
            report.service == self.actor
            and self.since < ended
            and report.call.invoke.index < self.until
        )


@dataclass(frozen=True, slots=True)
class Refusals:
    """What was asked and what was sent about each ticket, and which disks failed when."""

    told: Mapping[int, Sequence[Report]]
    tries: Mapping[int, Sequence[Exchange]]
    proxied: frozenset[str]
    troubled: tuple[Troubled, ...]

    @classmethod
    def of(cls, history: History) -> Refusals:
        seen = deliveries(history, "enable", "lookup")
        tries: dict[int, list[Exchange]] = {}
        for exchange in seen:
            if exchange.ticket is not None:
                tries.setdefault(exchange.ticket, []).append(exchange)
        proxied = frozenset(exchange.service for exchange in seen)
        return cls(reports_by_ticket(history), tries, proxied, _troubled(history))

    def only(self, ticket: int) -> bool:
        """Whether every call about the ticket ended in a refusal that was one: of a trade that
        could not be, for a conflict, made up by a fault, or by a client whose disk had failed.
        Giving up is no refusal."""
        told = self.told.get(ticket, ())
        return bool(told) and all(map(self._is_refusal, told))

    def _is_refusal(self, report: Report) -> bool:
        if report.terms is not None and not report.terms.possible:
            return report.ended != "ok"  # nobody could have registered it
        if report.ended != "fail":
            return False
        if report.conflict or report.terms is None:
            return True
        reason = report.reason.lower()
        if reason.startswith(NOT_ACCEPTED) and any(t.during(report) for t in self.troubled):
            return True
        if report.service not in self.proxied:
            return reason.startswith("rejected")
        tries = self.tries.get(report.ticket, ())
        return any(_excuses(e) for e in tries if e.service == report.service)


def _excuses(exchange: Exchange) -> bool:
    """A definite no that somebody else made up, or that another registration stands behind: what a
    broker could have executed the server has to take, where it was sent as it was given."""
    if exchange.f != "enable" or not exchange.refused:
        return False
    its_own = exchange.server is not None and exchange.server.status == exchange.status
    return exchange.status == CONFLICT or not its_own


def _troubled(history: History) -> tuple[Troubled, ...]:
    undone = history.notes("undo", "nemesis")
    return tuple(
        Troubled(
            text(op.get("actor")) or "",
            op.index,
            next(
                (u.index for u in undone if u.index > op.index and u.value == op.value),
                history.ops[-1].index + 1,
            ),
        )
        for op in history.notes("inflict", "nemesis")
        if op.get("fault") == "disk-trouble"
    )
