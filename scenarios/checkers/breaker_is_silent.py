"""Checker: the breaker is silent."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from scenarios.evidence.actors import told
from scenarios.evidence.exchange import Exchange, exchanges
from scenarios.evidence.reading import integer, mapping, seconds
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude

TOLERANCE_US = 50_000
"""How much later than on the wire a client may notice, and how much shorter a cooldown may be."""
PROBES_MAX = 1
THRESHOLD_MAX = 10_000
"""A breaker that needs more failures than this to open is none."""


def breaker_is_silent(history: History) -> Verdict:
    """After `policy.breaker_threshold` failed exchanges in a row a service sends nothing for
    `policy.breaker_cooldown_s`, but for one probe; after each probe that fails the same again.

    Failed is what got no answer or a 5xx. Where nothing came back the client is granted its whole
    timeout to notice. Requests that were under way already do not count. Does not check: clients
    that are not `durable`, what is sent once an answer shows the server at work, nor silence
    towards others than the DTMS API."""
    if history.header.get("level") != "durable":
        return Unknown("only a durable client owes silence")
    policy = mapping(history.header.get("policy"))
    threshold = integer(policy.get("breaker_threshold"))
    cooldown_s = seconds(policy.get("breaker_cooldown_s"))
    timeout_s = seconds(policy.get("timeout_s"))
    if threshold is None or cooldown_s is None or timeout_s is None:
        return Unknown("the history does not say when the breaker opens, and for how long")
    by_service: dict[str, list[Exchange]] = {}
    for exchange in exchanges(history):
        by_service.setdefault(exchange.service, []).append(exchange)
    verdicts: list[Verdict] = []
    for service, sends in by_service.items():
        limits = _Limits(
            threshold=min(max(1, threshold), THRESHOLD_MAX),
            cooldown_us=round(cooldown_s * 1e6),
            timeout_us=round(timeout_s * 1e6),
            exits_us=[op.time_us for op in told(history, "exited", service)],
        )
        begun = [send.call.invoke.time_us for send in sends]
        verdicts += [_judge(service, s, sends, begun) for s in _silences(sends, limits)]
    return conclude(verdicts) if verdicts else Unknown("nothing failed often enough in a row")


@dataclass(frozen=True, slots=True)
class _Limits:
    threshold: int
    cooldown_us: int
    timeout_us: int
    exits_us: list[int]


@dataclass(frozen=True, slots=True)
class _Silence:
    """From when until when nothing may be sent, after which failures."""

    from_us: int
    until_us: int
    after: tuple[Exchange, ...]


def _silences(sends: list[Exchange], limits: _Limits) -> Iterator[_Silence]:
    """Walks the exchanges of one service in the order they ended."""
    ended = sorted(
        (s for s in sends if s.ended is not None), key=lambda s: (s.ended_us or 0, s.ended or 0)
    )
    over_us = sorted([*limits.exits_us, *(s.ended_us or 0 for s in ended if not s.failed)])
    streak: deque[Exchange] = deque(maxlen=limits.threshold)
    opened_us = last_us = 0
    for send in ended:
        ended_us = send.ended_us or 0
        if bisect_left(limits.exits_us, last_us) < bisect_right(limits.exits_us, ended_us):
            streak.clear()
        last_us = ended_us
        if not send.failed:
            streak.clear()
            continue
        if len(streak) == limits.threshold and send.call.invoke.time_us < opened_us:
            continue
        streak.append(send)
        if len(streak) < limits.threshold:
            continue
        opened_us = max(s.noticed_us(limits.timeout_us) for s in streak) + TOLERANCE_US
        until_us = ended_us + limits.cooldown_us - TOLERANCE_US
        if (next_over := bisect_right(over_us, streak[0].ended_us or 0)) < len(over_us):
            until_us = min(until_us, over_us[next_over])
        if until_us > opened_us:
            yield _Silence(opened_us, until_us, tuple(streak))


def _judge(service: str, silence: _Silence, sends: list[Exchange], begun: list[int]) -> Verdict:
    first = bisect_right(begun, silence.from_us)
    last = bisect_right(begun, silence.until_us)
    heard = sends[first:last]
    if len(heard) <= PROBES_MAX:
        return Valid()
    about = (*silence.after, *heard)
    span_s = (silence.until_us - silence.from_us) / 1e6
    why = (
        f"{service} sent {len(heard)} times within {span_s:.3f} s after "
        f"{len(silence.after)} failures in a row"
    )
    tickets = dict.fromkeys(send.ticket for send in heard if send.ticket is not None)
    return Invalid(why, tuple(i for send in about for i in send.call.indices), tuple(tickets))
