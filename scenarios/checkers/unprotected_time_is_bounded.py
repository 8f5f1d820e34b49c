"""Checker: unprotected time is bounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from scenarios.evidence.actors import Restorations
from scenarios.evidence.exchange import Exchange
from scenarios.evidence.final import Final
from scenarios.evidence.positions import Position, executed, maybe_closed
from scenarios.evidence.reading import mapping, seconds
from scenarios.evidence.refusals import Refusals
from scenarios.evidence.reports import Report
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude


def unprotected_time_is_bounded(history: History) -> Verdict:
    """An executed trade is registered within `bounds.unprotected_s` of the healing of the last
    fault, or of its execution if that came later.

    Registered is what was acknowledged, what the server answered with 200, heard or not, and what
    a recovery took over. A trade that was refused is excepted, by the server, for its own data, or
    for want of a disk that works; one that was given up is not. Does not check: trades with a
    strategy, trades that somebody closed, nor whether protection lasted."""
    closed = maybe_closed(history)
    positions = [p for t, p in executed(history).items() if t not in closed and p.strategy is None]
    if not positions:
        return Unknown("no position without a strategy was left open")
    healed = history.phase("healed")
    bound_s = seconds(mapping(history.header.get("bounds")).get("unprotected_s"))
    if healed is None or bound_s is None:
        return Unknown("the history does not say when faults were healed, or what the bound is")
    refusals, final = Refusals.of(history), Final.of(history)
    restorations = Restorations.of(history)
    return conclude(
        _judge(
            _Exposure(
                position,
                since_us=max(position.op.time_us, healed.time_us),
                restored_us=restorations.first_after(position),
                refusals=refusals,
                final=final,
            ),
            bound_s,
        )
        for position in positions
    )


class _Exposure(msgspec.Struct, frozen=True, gc=False):
    """A position, and all that may have ended its exposure."""

    position: Position
    since_us: int
    restored_us: int | None
    refusals: Refusals
    final: Final

    @property
    def told(self) -> Sequence[Report]:
        return self.refusals.told.get(self.position.ticket, ())

    @property
    def tries(self) -> Sequence[Exchange]:
        return self.refusals.tries.get(self.position.ticket, ())

    def protected_us(self) -> int | None:
        """The earliest moment (us) at which the trade may be taken for registered."""
        return min(self._moments(), default=None)

    def _moments(self) -> Iterable[int]:
        for report in self.told:
            completion = report.call.completion
            if completion is not None and report.ended == "ok" and not report.accepted_only:
                yield completion.time_us
        present = self.final.there(self.position.ticket)
        for exchange in self.tries:
            if self._may_protect(exchange, present):
                yield exchange.call.invoke.time_us
        if present and self.restored_us is not None:
            yield self.restored_us
        if present and self.final.read is not None:
            yield self.final.read.time_us

    def _may_protect(self, exchange: Exchange, present: bool) -> bool:
        server = exchange.server
        if exchange.f == "lookup":
            return server is not None and server.holds
        if server is not None and server.registered:
            return True
        return present and exchange.maybe_carried_out

    @property
    def indices(self) -> tuple[int, ...]:
        calls = [report.call for report in self.told] + [e.call for e in self.tries]
        return tuple(sorted({self.position.op.index, *(i for c in calls for i in c.indices)}))


def _judge(exposure: _Exposure, bound_s: float) -> Verdict:
    ticket = exposure.position.ticket
    protected_us = exposure.protected_us()
    if protected_us is None:
        if exposure.refusals.only(ticket):
            return Valid()
        if exposure.final.presence(ticket) in ("unread", "unreadable") and not exposure.tries:
            return Unknown(f"whether {ticket} was ever protected was not recorded")
        return Invalid(f"{ticket} was never protected", exposure.indices, (ticket,))
    took_s = (protected_us - exposure.since_us) / 1e6
    if took_s <= bound_s:
        return Valid()
    why = f"{ticket} was unprotected for {took_s:.3f} s, {bound_s:g} s are allowed"
    return Invalid(why, exposure.indices, (ticket,))
