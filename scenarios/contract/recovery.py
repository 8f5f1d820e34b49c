"""What a start makes of the store and of what the broker and the trade registry tell."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Need, expect, require
from scenarios.contract.exchange import Exchange
from scenarios.contract.registrations import (
    Payload,
    good,
    is_closed,
    is_told,
    registered,
    state_of,
)

SETTLED_S_MAX = 3.0
UNOWNED_S_MAX = 6.0
OTHER_FIELDS = {"volume": 0.2}


@dataclass(frozen=True, slots=True)
class Recovered:
    """Look-ups after a kill and a start, by what the broker has of each ticket."""

    both: Payload
    both_before: Exchange
    ready: Exchange
    both_at_first: Exchange
    both_later: Exchange
    gone: Exchange
    found: Payload
    found_later: Exchange
    differs: Payload
    differs_later: Exchange


def recovered(bench: Bench) -> Recovered:
    both, gone, found, differs = (good(bench.ticket()) for _ in range(4))
    with bench.own(broker=True) as server:
        for payload in (both, gone, differs):
            server.broker.opens(payload)
            registered(server, payload)
        before = server.lookup(both["ticket"])
        server.kill()
        server.broker.opens(found)
        server.broker.opens({**differs, **OTHER_FIELDS})
        server.broker.closes(gone)
        ready = server.restart()
        first = server.lookup(both["ticket"])

        def later(payload: Payload, wanted: int) -> Exchange:
            path = f"/dtms/trade/{payload['ticket']}"
            return server.until(lambda told: told.status == wanted, path, SETTLED_S_MAX)

        gone_path = f"/dtms/trade/{gone['ticket']}"
        differs_path = f"/dtms/trade/{differs['ticket']}"
        return Recovered(
            both,
            before,
            ready,
            first,
            later(both, 200),
            server.until(is_closed, gone_path, SETTLED_S_MAX),
            found,
            later(found, 200),
            differs,
            server.until(
                lambda told: _volume_of(told) == OTHER_FIELDS["volume"], differs_path, SETTLED_S_MAX
            ),
        )


def _recovered(bench: Bench) -> Recovered:
    return bench.seen("recovered", recovered)


def ready_is_recovered(bench: Bench) -> None:
    expect(_recovered(bench).both_at_first, 200)


def restores(bench: Bench) -> None:
    seen = _recovered(bench)
    expect(seen.both_later, 200)
    is_told(seen.both_later, seen.both)
    require(not is_closed(seen.both_later), "it is closed", seen.both_later)


def keeps_state(bench: Bench) -> None:
    seen = _recovered(bench)
    if seen.both_later.status == 200:
        before, after = state_of(seen.both_before), state_of(seen.both_later)
        require(before == after, f"its state was {before!r} before the kill", seen.both_later)


def ready_is_monitored(bench: Bench) -> None:
    told = _recovered(bench).ready
    body = expect(told, 200)
    require(body.get("monitoring_active") is True, "monitoring_active is not true", told)


def closes(bench: Bench) -> None:
    told = _recovered(bench).gone
    require(is_closed(told), "it is not closed", told)


def adopts(bench: Bench) -> None:
    seen = _recovered(bench)
    expect(seen.found_later, 200)
    is_told(seen.found_later, seen.found)


def broker_wins(bench: Bench) -> None:
    seen = _recovered(bench)
    expect(seen.differs_later, 200)
    is_told(seen.differs_later, {**seen.differs, **OTHER_FIELDS})


@dataclass(frozen=True, slots=True)
class Owned:
    """Look-ups of two positions that only the broker had, after the start."""

    unowned: Payload
    unowned_told: Exchange
    owned_told: Exchange


def owned(bench: Bench) -> Owned:
    unowned, another_s = good(bench.ticket()), good(bench.ticket())
    with bench.own(broker=True, registry=True, start=False) as server:
        server.registry.knows_only(another_s)
        server.broker.behaves("ok")
        server.broker.opens(another_s)
        server.broker.opens(unowned)
        server.start()
        server.must_be_ready()
        told = server.until(
            lambda told: told.status == 200, f"/dtms/trade/{unowned['ticket']}", UNOWNED_S_MAX
        )
        # Both are asked about in one go, so that the other's turn has come, too.
        return Owned(unowned, told, server.lookup(another_s["ticket"]))


def _owned(bench: Bench) -> Owned:
    return bench.seen("owned", owned)


def adopts_unowned(bench: Bench) -> None:
    seen = _owned(bench)
    expect(seen.unowned_told, 200)
    is_told(seen.unowned_told, seen.unowned)


def leaves_owned(bench: Bench) -> None:
    told = _owned(bench).owned_told
    require(is_closed(told), "it is registered, and another manager owns it", told)


def _volume_of(told: Exchange) -> object:
    info = told.json.get("trade_info") if isinstance(told.json, dict) else None
    return info.get("volume") if isinstance(info, dict) else None


_TOPIC = "recovery"
_BROKER: frozenset[Need] = frozenset({"own", "broker"})
_REGISTRY: frozenset[Need] = frozenset({"own", "broker", "registry"})
CHECKS = (
    Check(
        "ready-is-recovered",
        "MUST",
        "start-up",
        "Ready with a broker means recovered: at the first 200 of /dtms/health trades are there.",
        ready_is_recovered,
        _BROKER,
    ),
    Check(
        "ready-is-monitored",
        "MUST",
        "start-up",
        "Ready means monitored: at the first 200 of /dtms/health monitoring is active.",
        ready_is_monitored,
        _BROKER,
    ),
    Check(
        "recovery-restores",
        "MUST",
        _TOPIC,
        "In the store and at the broker: restored.",
        restores,
        _BROKER,
    ),
    Check(
        "recovery-keeps-state",
        "MUST",
        _TOPIC,
        "In the store and at the broker: restored with its state.",
        keeps_state,
        _BROKER,
    ),
    Check(
        "recovery-closes",
        "MUST",
        _TOPIC,
        "In the store, and the broker answered without it: closed.",
        closes,
        _BROKER,
    ),
    Check(
        "recovery-adopts",
        "MUST",
        _TOPIC,
        "At the broker only: registered.",
        adopts,
        _BROKER,
    ),
    Check(
        "recovery-broker-wins",
        "MUST",
        _TOPIC,
        "In both with other data: the broker's data win.",
        broker_wins,
        _BROKER,
    ),
    Check(
        "recovery-leaves-owned",
        "MUST",
        _TOPIC,
        "At the broker only, and the trade registry names another manager: not registered.",
        leaves_owned,
        _REGISTRY,
    ),
    Check(
        "recovery-adopts-unowned",
        "MUST",
        _TOPIC,
        "At the broker only, and the trade registry names nobody: registered.",
        adopts_unowned,
        _REGISTRY,
    ),
)
