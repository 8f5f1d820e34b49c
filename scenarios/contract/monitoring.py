"""What a server does by itself while it runs, with a broker that comes and goes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from scenarios.contract.bench import UNLIMITED, Bench
from scenarios.contract.broker_at_start import SILENT, WORDS
from scenarios.contract.check import Check, Need, Undecided, expect, require
from scenarios.contract.exchange import Exchange
from scenarios.contract.registrations import (
    STATES,
    Payload,
    good,
    is_closed,
    registered,
    state_of,
)
from scenarios.contract.server import Server
from scenarios.scenario import ServerOptions

NOTICED_S_MAX = 5.0
BRISK = ServerOptions(
    rate_limit=False,
    monitoring_interval_s=0.1,
    environ={**UNLIMITED.environ, "DTMS_MONITORING_INTERVAL": "1"},
)
"""Whole seconds, since a server need not read others; the simulated one is told at its start."""
QUESTIONS = 2
"""When a server asks again, it has done what the first answer made it do."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What a server told while its broker behaved in one way after the other."""

    gone: Exchange
    """The look-up of a position that was closed at the broker."""
    silent: dict[str, Exchange | None]
    """By how the broker was silent, the look-up of a position that is open there, another one for
    each; None where the broker was not asked meanwhile."""
    gone_later: Exchange
    """As `gone`, of one that was closed when the broker answered well again."""
    health_gone: Exchange
    health_back: Exchange
    status: Exchange
    status_later: Exchange


def watched(bench: Bench) -> Watched:
    first, last = good(bench.ticket()), good(bench.ticket())
    with bench.own(broker=True, options=BRISK) as server:
        for payload in (first, last):
            server.broker.opens(payload)
            registered(server, payload)
        status = server.get("/dtms/status")
        server.broker.closes(first)
        gone = server.until(is_closed, _path(first), NOTICED_S_MAX)
        server.broker.behaves("down")
        asked = server.broker.answers(QUESTIONS, NOTICED_S_MAX)
        health_gone = server.until(lambda told: told.status == 503, "/health", NOTICED_S_MAX)
        silent = {mode: _silent(bench, server, mode) if asked else None for mode in SILENT}
        server.broker.behaves("ok")
        health_back = server.until(lambda told: told.status == 200, "/health", NOTICED_S_MAX)
        server.broker.closes(last)
        gone_later = server.until(is_closed, _path(last), NOTICED_S_MAX if asked else 0.0)
        later = server.get("/dtms/status")
        return Watched(gone, silent, gone_later, health_gone, health_back, status, later)


def _silent(bench: Bench, server: Server, mode: str) -> Exchange | None:
    kept = good(bench.ticket())
    server.broker.behaves("ok")
    server.broker.opens(kept)
    registered(server, kept)
    server.broker.behaves(mode)
    asked = server.broker.answers(QUESTIONS, NOTICED_S_MAX)
    return server.lookup(kept["ticket"]) if asked else None


def _path(payload: Payload) -> str:
    return f"/dtms/trade/{payload['ticket']}"


def _watched(bench: Bench) -> Watched:
    return bench.seen("watched", watched)


def gone_is_closed(bench: Bench) -> None:
    told = _watched(bench).gone
    require(is_closed(told), f"it is not closed {NOTICED_S_MAX:g} s later", told)


def silence_closes_nothing(mode: str, bench: Bench) -> None:
    told = _watched(bench).silent[mode]
    if told is None:
        raise Undecided(
            f"the server did not ask the broker within {NOTICED_S_MAX:g} s, and was started with "
            "DTMS_MONITORING_INTERVAL=1"
        )
    expect(told, 200)
    require(not is_closed(told), "it was closed, and the broker had told nothing", told)


def goes_on(bench: Bench) -> None:
    seen = _watched(bench)
    if not is_closed(seen.gone):
        raise Undecided("what is gone was not closed before the broker was silent, either")
    told = seen.gone_later
    require(is_closed(told), f"it is not closed {NOTICED_S_MAX:g} s later", told)


def last_check_moves(bench: Bench) -> None:
    seen = _watched(bench)
    before, after = (_status(told).get("last_check") for told in (seen.status, seen.status_later))
    require(after is not None, "last_check is null, and the server has run for some time", None)
    require(before != after, f"last_check stays at {before!r}", seen.status_later)


def states_are_known(bench: Bench) -> None:
    seen = _watched(bench)
    for told in (seen.gone, seen.gone_later, *seen.silent.values()):
        if told is not None and told.status == 200:
            require(state_of(told) in STATES, f"{state_of(told)!r} is no state", told)


def status_states(bench: Bench) -> None:
    seen = _watched(bench)
    for told in (seen.status, seen.status_later):
        by_state = _status(told).get("trades_by_state")
        counts = by_state if isinstance(by_state, dict) else {}
        require(bool(counts), "trades_by_state tells nothing, and there are trades", told)
        for state in counts:
            require(state in STATES, f"{state!r} in trades_by_state is no state", told)


def _status(told: Exchange) -> Payload:
    inner = expect(told, 200).get("dtms_status")
    return inner if isinstance(inner, dict) else {}


def broker_gone(bench: Bench) -> None:
    told = _watched(bench).health_gone
    body = expect(told, 503)
    status = body.get("status")
    require(status in ("unhealthy", "degraded"), f"status is {status!r}", told)


def broker_back(bench: Bench) -> None:
    seen = _watched(bench)
    if seen.health_gone.status != 503:
        raise Undecided("/health was not 503 while the broker was gone")
    told = seen.health_back
    body = expect(told, 200)
    require(body.get("status") == "healthy", "status is not healthy", told)


_TOPIC = "monitoring"
_BROKER: frozenset[Need] = frozenset({"own", "broker"})
_OPTIONAL: frozenset[Need] = frozenset({"own", "broker", "optional"})
CHECKS = (
    Check(
        "position-gone",
        "SHOULD",
        _TOPIC,
        "A trade is CLOSED when its position is gone at the broker, some cycles later.",
        gone_is_closed,
        _BROKER,
    ),
    *(
        Check(
            f"running-{mode.replace('_', '-')}-is-not-empty",
            "MUST",
            _TOPIC,
            f"A broker that {WORDS[mode]} while the server runs changes nothing.",
            partial(silence_closes_nothing, mode),
            _BROKER,
        )
        for mode in SILENT
    ),
    Check(
        "monitoring-goes-on",
        "SHOULD",
        _TOPIC,
        "After a broker that told nothing, what is gone later is CLOSED later.",
        goes_on,
        _BROKER,
    ),
    Check(
        "last-check-moves",
        "SHOULD",
        _TOPIC,
        "last_check of /dtms/status moves with the cycles.",
        last_check_moves,
        _OPTIONAL,
    ),
    Check(
        "states-are-known",
        "SHOULD",
        _TOPIC,
        "A state that a look-up tells is one of the six, whatever the broker does.",
        states_are_known,
        _BROKER,
    ),
    Check(
        "status-states",
        "SHOULD",
        _TOPIC,
        "trades_by_state of /dtms/status counts by these six states.",
        status_states,
        _OPTIONAL,
    ),
    Check(
        "broker-gone",
        "SHOULD",
        "health",
        "/health is 503 once the broker is gone.",
        broker_gone,
        _BROKER,
    ),
    Check(
        "broker-back",
        "SHOULD",
        "health",
        "/health is 200 healthy again once the broker is back.",
        broker_back,
        _BROKER,
    ),
)
