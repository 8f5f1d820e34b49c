"""Checker: retry discipline."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from scenarios.evidence.actors import told
from scenarios.evidence.exchange import Exchange, exchanges
from scenarios.evidence.reading import integer, mapping, number
from scenarios.evidence.reports import Report, reports
from scenarios.evidence.spans import Spans
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude

RETRY_AFTER_TOLERANCE_S = 0.05
"""How much earlier than asked a retry may be: clocks of two processes, rounded headers."""
HOT_SENDS = 5
"""So many sends of one registration within `policy.base_s` are a loop without back-off."""
SPACED_MIN = 6
"""From so many retries on their mean spacing says something."""
SPACING_SHARE_MIN = 0.05
"""The mean share of the back-off's ceiling that retries must have waited. Full jitter waits half of
it; for six draws to stay below a twentieth has a chance of one in a million."""


def retry_discipline(history: History) -> Verdict:
    """Clients retry within bounds: at most `policy.retries` times a call, spaced, not before
    Retry-After, never after a definite refusal, and in all not above `bounds.amplification`.

    What several overlapping calls of one service for one ticket send is counted together. Does
    not check: lookups and health probes, the shape of the jitter, nor attempts that were refused
    before they came to the proxy."""
    policy, bounds = mapping(history.header.get("policy")), mapping(history.header.get("bounds"))
    retries, base_s = integer(policy.get("retries")), number(policy.get("base_s"))
    if retries is None or base_s is None:
        return Unknown("the history does not say how often and how fast clients may retry")
    lines = _lines(history)
    if not any(line.sends for line in lines):
        return Unknown("no registration was sent")
    spacing = _Spacing(
        base_s, number(policy.get("factor")) or 1.0, number(policy.get("cap_s")) or base_s
    )
    findings: list[Verdict] = [Valid()]
    for line in lines:
        if len(line.sends) < 2:
            continue
        findings += _attempts(line, retries)
        findings += _after_refusals(line)
        findings += _before_retry_after(line)
        findings += _hot(line, base_s)
        spacing.measure(line)
    findings += spacing.finding()
    findings += _amplified(lines, number(bounds.get("amplification")))
    return conclude(findings)


@dataclass
class _Line:
    """One registration as one service pursues it. Sends and calls stand in their order."""

    service: str
    ticket: int
    restarts: list[int]
    durable: bool
    sends: list[Exchange] = field(default_factory=list)
    calls: list[Report] = field(default_factory=list)
    looked_up: list[int] = field(default_factory=list)
    """Where look-ups began."""

    @cached_property
    def spans(self) -> Spans:
        """To be read when all calls are known."""
        return Spans(report.call for report in self.calls)

    def restarted_between(self, first: int, last: int) -> int:
        """How often the service began anew."""
        return max(0, bisect_left(self.restarts, last) - bisect_right(self.restarts, first))

    def recovered(self, first: int) -> bool:
        """Whether the send that began at index `first` may be a recovery's: that looks a trade up
        before it sends it for the first time since the start, which no call does."""
        if not self.durable:
            return False
        start = max((index for index in self.restarts if index < first), default=-1)
        sent = any(start < send.begun < first for send in self.sends)
        return not sent and any(start < index < first for index in self.looked_up)

    def interrupted(self, after: int, before: int) -> bool:
        """Whether between the two indices somebody asked anew, or the service began anew."""
        again = self.spans.begun_between(after, before)
        return bool(again or self.restarted_between(after, before))

    def follow_ups(self) -> Iterator[tuple[int, Exchange, Exchange]]:
        """Pairs of a send and the next, begun after the first had ended and for no reason but
        that; with the number of sends of the same effort before the pair."""
        nth = 0
        for before, after in pairwise(self.sends):
            ended = before.ended
            if ended is None or after.begun < ended:
                nth += 1
            elif self.interrupted(before.begun, after.begun):
                nth = 0
            else:
                if self.spans.open_between(before.begun, after.begun) <= 1:
                    yield nth, before, after
                nth += 1

    def finding(self, why: str, *about: Exchange) -> Invalid:
        evidence = tuple(index for exchange in about for index in exchange.call.indices)
        return Invalid(f"{self.service} {why}", evidence, (self.ticket,))


def _lines(history: History) -> list[_Line]:
    durable = history.header.get("level") == "durable"
    lines: dict[tuple[str, int], _Line] = {}
    restarts: dict[str, list[int]] = {}

    def line(service: str, ticket: int) -> _Line:
        if service not in restarts:
            restarts[service] = [op.index for op in told(history, "start", service)]
        key = (service, ticket)
        if key not in lines:
            lines[key] = _Line(service, ticket, restarts[service], durable)
        return lines[key]

    for exchange in exchanges(history, "enable"):
        if exchange.ticket is not None:
            line(exchange.service, exchange.ticket).sends.append(exchange)
    for lookup in exchanges(history, "lookup"):
        if (known := lines.get((lookup.service, lookup.ticket or 0))) is not None:
            known.looked_up.append(lookup.begun)
    for report in reports(history):
        line(report.service, report.ticket).calls.append(report)
    return list(lines.values())


def _attempts(line: _Line, retries: int) -> Iterator[Verdict]:
    """Sends within each call. A durable client may go on with an earlier one at the same time."""
    begun = [send.begun for send in line.sends]
    gone_on_since = min(
        (r.call.completion.index for r in line.calls if r.call.completion and r.ended != "fail"),
        default=None,
    )
    for report in line.calls:
        since, completion = report.call.invoke.index, report.call.completion
        if completion is None and line.durable:
            continue
        until = len(begun) and begun[-1] + 1 if completion is None else completion.index
        first, last = bisect_right(begun, since), bisect_left(begun, until)
        overlapping = line.spans.open_between(since, until)
        unfinished = line.durable and gone_on_since is not None and gone_on_since < since
        restarted = line.restarted_between(since, until)
        efforts = overlapping + unfinished + restarted
        if last - first > (retries + 1) * efforts and line.recovered(begun[first]):
            efforts += 1
        allowed = (retries + 1) * efforts
        if last - first > allowed:
            where = "one call" if overlapping == 1 else f"{overlapping} overlapping calls"
            why = f"sent {line.ticket} {last - first} times in {where}, {allowed} are allowed"
            yield line.finding(why, *line.sends[first:last])
            return


def _after_refusals(line: _Line) -> Iterator[Verdict]:
    for _nth, before, after in line.follow_ups():
        if before.refused:
            yield line.finding(
                f"sent {line.ticket} again after a definite {before.status}", before, after
            )
            return


def _before_retry_after(line: _Line) -> Iterator[Verdict]:
    for _nth, before, after in line.follow_ups():
        asked_s, ended_us = before.retry_after_s, before.ended_us
        if asked_s is None or ended_us is None or before.status == 200:
            continue
        waited_s = (after.call.invoke.time_us - ended_us) / 1e6
        if waited_s < asked_s - RETRY_AFTER_TOLERANCE_S:
            why = f"sent {line.ticket} again after {waited_s:.3f} s, Retry-After was {asked_s:g} s"
            yield line.finding(why, before, after)
            return


def _hot(line: _Line, base_s: float) -> Iterator[Verdict]:
    """A window that slides over the sends; overlapping calls and restarts may each send."""
    sends, base_us = line.sends, base_s * 1e6
    for first in range(len(sends) - HOT_SENDS + 1):
        begin = sends[first]
        last = sends[first + HOT_SENDS - 1]
        if last.call.invoke.time_us - begin.call.invoke.time_us > base_us:
            continue
        efforts = line.spans.open_between(begin.begun, last.begun)
        efforts += line.restarted_between(begin.begun, last.begun)
        allowed = max(1, efforts) * (HOT_SENDS - 1)
        end_us = begin.call.invoke.time_us + base_us
        burst = [s for s in sends[first : first + allowed + 1] if s.call.invoke.time_us <= end_us]
        if len(burst) > allowed:
            why = f"sent {line.ticket} {len(burst)} times within {base_s:g} s"
            yield line.finding(why, *burst)
            return


class _Spacing:
    """How long retries waited, as a share of what the back-off may wait, over all registrations."""

    def __init__(self, base_s: float, factor: float, cap_s: float) -> None:
        self._base_s, self._factor, self._cap_s = base_s, factor, cap_s
        self._shares: list[float] = []
        self._waits_s: list[float] = []
        self._first: tuple[_Line, Exchange, Exchange] | None = None

    def measure(self, line: _Line) -> None:
        for nth, before, after in line.follow_ups():
            ended_us = before.ended_us
            if not before.failed or before.retry_after_s is not None or ended_us is None:
                continue
            ceiling_s = self._ceiling_s(nth)
            if ceiling_s <= 0:
                continue
            waited_s = (after.call.invoke.time_us - ended_us) / 1e6
            self._waits_s.append(waited_s)
            self._shares.append(min(1.0, waited_s / ceiling_s))
            self._first = self._first or (line, before, after)

    def finding(self) -> Iterator[Verdict]:
        if self._first is None or len(self._shares) < SPACED_MIN:
            return
        if sum(self._shares) / len(self._shares) < SPACING_SHARE_MIN:
            line, before, after = self._first
            mean_s = sum(self._waits_s) / len(self._waits_s)
            why = (
                f"and others retried without back-off: {len(self._waits_s)} retries after "
                f"{mean_s:.3f} s in the mean, the first may wait {self._base_s:g} s"
            )
            yield line.finding(why, before, after)

    def _ceiling_s(self, nth: int) -> float:
        try:
            return min(self._cap_s, self._base_s * self._factor**nth)
        except OverflowError:
            return self._cap_s


def _amplified(lines: list[_Line], bound: float | None) -> Iterator[Verdict]:
    sent = [line for line in lines if line.sends]
    total = sum(len(line.sends) for line in sent)
    if bound is not None and sent and total > bound * len(sent):
        busiest = max(sent, key=lambda line: len(line.sends))
        why = f"{total} sends for {len(sent)} registrations, {bound:g} for each are allowed"
        evidence = tuple(index for send in busiest.sends for index in send.call.indices)
        yield Invalid(why, evidence, (busiest.ticket,))
