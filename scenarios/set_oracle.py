"""Registrations as elements of a set: what became of each, in the sense of Jepsen's `set-full`.

An element is known from when its registration was acknowledged, by the API to a service or by a
service to its caller, or it was first seen. It is *lost* if the last that was read of it afterwards
says that it is not there, and *stale* if it was missed once it was known and seen again later;
*never read* if nobody looked once it was known; *recovered* if nobody knew what came of its
registration, and it is there; *duplicated* if it was new twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from scenarios.checkers.registered_at_most_once import new_answers, repeated
from scenarios.evidence.exchange import Exchange, deliveries
from scenarios.evidence.final import Final
from scenarios.evidence.positions import close_calls, maybe_closed
from scenarios.evidence.reading import by_ticket
from scenarios.evidence.reports import reports
from scenarios.history import History


@dataclass(frozen=True, slots=True)
class Elements:
    """Tickets by what became of them, each list ascending. Those that somebody may have closed, and
    those that another manager has, are in none."""

    known: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    stale: tuple[int, ...] = ()
    never_read: tuple[int, ...] = ()
    recovered: tuple[int, ...] = ()
    duplicated: tuple[int, ...] = ()

    @property
    def right(self) -> bool:
        """Nothing is wrong with any; what was never read may be."""
        return not (self.lost or self.stale or self.duplicated)

    def __str__(self) -> str:
        counts = (
            f"{len(getattr(self, name))} {name.replace('_', ' ')}"
            for name in ("known", "lost", "stale", "never_read", "recovered", "duplicated")
        )
        return ", ".join(counts)


@dataclass(slots=True)
class _Element:
    """`known` is the index since which it is known; a reading is where it began and ended, and
    whether the element was there."""

    known: int | None = None
    unsure: bool = False
    readings: list[tuple[int, int, bool]] = field(default_factory=list)

    def known_at(self, index: int) -> None:
        self.known = index if self.known is None else min(self.known, index)


def elements_of(history: History) -> Elements:
    """What became of every registration that the history tells of."""
    elements: dict[int, _Element] = {}
    for exchange in deliveries(history, "enable", "lookup"):
        if exchange.ticket is not None:
            _note(elements.setdefault(exchange.ticket, _Element()), exchange)
    for report in reports(history):
        completion = report.call.completion
        if report.ended == "ok" and not report.accepted_only and completion is not None:
            elements.setdefault(report.ticket, _Element()).known_at(completion.index)
    for ticket, reading in _read_at_the_end(history):
        elements.setdefault(ticket, _Element()).readings.append(reading)
    final, closed = Final.of(history), maybe_closed(history)
    left = {
        ticket: element
        for ticket, element in sorted(elements.items())
        if ticket not in closed and not final.elsewhere(ticket)
    }
    for element in left.values():
        element.readings.sort()
        for _began, ended, there in element.readings:
            if there:
                element.known_at(ended)
    closes = close_calls(history)
    return Elements(
        known=tuple(t for t, e in left.items() if e.known is not None),
        lost=tuple(t for t, e in left.items() if _missed(e)[-1:] == [True]),
        stale=tuple(t for t, e in left.items() if any(_missed(e)) and not _missed(e)[-1]),
        never_read=tuple(t for t, e in left.items() if e.known is not None and not _missed(e)),
        recovered=tuple(t for t, e in left.items() if e.unsure and _seen(e)),
        duplicated=tuple(
            ticket
            for ticket, answers in sorted(new_answers(history).items())
            if repeated(answers, closes.get(ticket, []))
        ),
    )


def _note(element: _Element, exchange: Exchange) -> None:
    server, ended = exchange.server, exchange.ended
    if exchange.f == "enable":
        if server is not None and server.registered and ended is not None and exchange.status:
            element.known_at(ended)
        elif exchange.maybe_carried_out:
            element.unsure = True
    elif server is not None and ended is not None and (server.holds or server.status == 404):
        element.readings.append((exchange.begun, ended, server.holds))


def _read_at_the_end(history: History) -> Iterator[tuple[int, tuple[int, int, bool]]]:
    final = Final.of(history)
    if final.read is not None:
        for ticket in by_ticket(final.read.value):
            presence = final.presence(ticket)
            if presence in ("active", "idle", "absent"):
                index = final.read.index
                yield ticket, (index, index, presence != "absent")


def _missed(element: _Element) -> list[bool]:
    """Of each reading that began once it was known, whether it was missed."""
    known = element.known
    if known is None:
        return []
    return [not there for began, _ended, there in element.readings if began > known]


def _seen(element: _Element) -> bool:
    return any(there for _began, _ended, there in element.readings)
