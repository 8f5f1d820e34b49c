"""Rate limits, by one server that is started with them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Need, Undecided, expect, require
from scenarios.contract.exchange import Exchange
from scenarios.contract.registrations import good, has_error_body
from scenarios.contract.server import ENABLE, JSON, LIMITED_S_MAX, encoded
from scenarios.scenario import ServerOptions

LIMITED = ServerOptions(
    rate_limit=True, monitoring_interval_s=30.0, environ={"DTMS_RATE_LIMIT_ENABLED": "true"}
)
REGISTRATIONS, QUERIES = 10, 30
"""What a second has room for."""
MORE_REGISTRATIONS, MORE_QUERIES = 20, 90
"""Sent right after those, well over what the second has left."""
QUERY = "/dtms/trade/1"
OTHER_CLIENT = "127.0.0.2"
PAUSE_S = 1.1
"""After this a second without requests has passed, however it is counted."""


@dataclass(frozen=True, slots=True)
class Limited:
    """`more` was sent right after `registrations`, and `by_another` right after `more`, by a client
    with another address; `waited` after the longest Retry-After."""

    registrations: tuple[Exchange, ...]
    more: tuple[Exchange, ...]
    by_another: Exchange | Undecided
    waited: Exchange
    queries: tuple[Exchange, ...]
    more_queries: tuple[Exchange, ...]


def limited(bench: Bench) -> Limited:
    def payloads(count: int) -> list[dict[str, object]]:
        return [good(bench.ticket()) for _ in range(count)]

    with bench.own(options=LIMITED) as server:
        registrations = server.enable_together(payloads(REGISTRATIONS))
        more = server.enable_together(payloads(MORE_REGISTRATIONS))
        by_another: Exchange | Undecided
        try:
            body = encoded(good(bench.ticket()))
            by_another = server.ask_apart("POST", ENABLE, body, {**JSON}, source=OTHER_CLIENT)
        except Undecided as error:
            by_another = error
        time.sleep(max(PAUSE_S, *map(_retry_after_s, more)))
        body = encoded(good(bench.ticket()))
        waited = server.ask("POST", ENABLE, body, JSON, limited=True)
        return Limited(
            tuple(registrations),
            tuple(more),
            by_another,
            waited,
            tuple(server.get_together(QUERY, QUERIES)),
            tuple(server.get_together(QUERY, MORE_QUERIES)),
        )


def _retry_after_s(told: Exchange) -> float:
    text = told.headers.get("retry-after", "")
    return min(float(text), LIMITED_S_MAX) if text.isdigit() else 0.0


def _limited(bench: Bench) -> Limited:
    return bench.seen("limited", limited)


def registrations_limited(bench: Bench) -> None:
    seen = _limited(bench)
    _is_limited((*seen.registrations, *seen.more), "registrations at once")


def queries_limited(bench: Bench) -> None:
    seen = _limited(bench)
    _is_limited((*seen.queries, *seen.more_queries), "queries at once")


def _is_limited(answers: Sequence[Exchange], what: str) -> None:
    limited = [told for told in answers if told.status == 429]
    require(bool(limited), f"of {len(answers)} {what} none was answered with 429", answers[-1])
    for told in limited:
        require("retry-after" in told.headers, "the 429 has no Retry-After", told)
    passed = [told for told in answers if told.status != 429]
    require(bool(passed), f"of {len(answers)} {what} all were answered with 429", limited[0])


def registrations_pass(bench: Bench) -> None:
    for told in _limited(bench).registrations:
        expect(told, 200)


def queries_pass(bench: Bench) -> None:
    for told in _limited(bench).queries:
        require(told.status != 429, f"it is one of {QUERIES} in a second", told)


def other_client_passes(bench: Bench) -> None:
    _refused(bench)
    told = _limited(bench).by_another
    if isinstance(told, Undecided):
        raise told
    expect(told, 200)


def served_after_wait(bench: Bench) -> None:
    _refused(bench)
    expect(_limited(bench).waited, 200)


def error_body(bench: Bench) -> None:
    for told in _refused(bench):
        has_error_body(told)


def _refused(bench: Bench) -> list[Exchange]:
    """The registrations that were one too many. Raises `Undecided` where there are none."""
    refused = [told for told in _limited(bench).more if told.status == 429]
    if not refused:
        raise Undecided("no registration was answered with 429")
    return refused


_TOPIC = "limits"
_OWN: frozenset[Need] = frozenset({"own"})
CHECKS = (
    Check(
        "registrations-limited",
        "SHOULD",
        _TOPIC,
        "With limits on, over 10 registrations/s of a client: 429 and Retry-After.",
        registrations_limited,
        _OWN,
    ),
    Check(
        "registrations-pass",
        "SHOULD",
        _TOPIC,
        "With limits on, 10 registrations in a second are all taken.",
        registrations_pass,
        _OWN,
    ),
    Check(
        "queries-limited",
        "SHOULD",
        _TOPIC,
        "With limits on, over 30 queries/s of a client: 429 and Retry-After.",
        queries_limited,
        _OWN,
    ),
    Check(
        "queries-pass",
        "SHOULD",
        _TOPIC,
        "With limits on, 30 queries in a second are all answered.",
        queries_pass,
        _OWN,
    ),
    Check(
        "limited-by-client",
        "SHOULD",
        _TOPIC,
        "A client over its limit does not use up another's: another address is served.",
        other_client_passes,
        _OWN,
    ),
    Check(
        "served-after-retry-after",
        "SHOULD",
        _TOPIC,
        "When Retry-After has passed, a client that was limited is served again.",
        served_after_wait,
        _OWN,
    ),
    Check(
        "limited-error-body",
        "SHOULD",
        _TOPIC,
        "A 429 has error, message, details, correlation_id.",
        error_body,
        _OWN,
    ),
)
