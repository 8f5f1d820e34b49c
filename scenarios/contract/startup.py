"""From the open port to `ready`: what is answered while the broker is away, and what a start that
cannot succeed does."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Failed, Need, expect, require
from scenarios.contract.exchange import Exchange
from scenarios.contract.health import has_health_fields
from scenarios.contract.registrations import Payload, good, is_told, registered, state_of
from scenarios.contract.server import READY_S_MAX, Server

SETTLED_S_MAX = 3.0
ENDS_S_MAX = READY_S_MAX
OTHER_FIELDS = {"volume": 0.2}


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a server answered that was started while its broker could tell nothing, and after."""

    payload: Payload
    dtms_health: Exchange
    health: Exchange
    enable: Exchange
    lookup: Exchange
    ready: Exchange | Failed
    after: Exchange


def waiting(bench: Bench) -> Waiting:
    with bench.own(broker=True, start=False) as server:
        server.broker_behaves("down")
        server.start()
        payload = good(bench.ticket())
        dtms_health = server.first_answer("/dtms/health")
        health = server.get("/health")
        enable = server.enable(payload)
        lookup = server.lookup(payload["ticket"])
        server.broker_behaves("ok")
        ready: Exchange | Failed
        try:
            ready = server.must_be_ready()
        except Failed as error:
            ready = error
        return Waiting(
            payload, dtms_health, health, enable, lookup, ready, server.lookup(payload["ticket"])
        )


def _waiting(bench: Bench) -> Waiting:
    return bench.seen("waiting", waiting)


def not_ready(bench: Bench) -> None:
    told = _waiting(bench).dtms_health
    body = expect(told, 503)
    require(body.get("ready") is False, "ready is not false", told)
    has_health_fields(told)
    require("error" in body, "there is no error", told)


def not_healthy(bench: Bench) -> None:
    told = _waiting(bench).health
    body = expect(told, 503)
    status = body.get("status")
    require(status in ("unhealthy", "degraded"), f"status is {status!r}", told)
    require(body.get("dtms_initialized") is False, "dtms_initialized is not false", told)


def enable_refused(bench: Bench) -> None:
    expect(_waiting(bench).enable, 503)


def retry_after(bench: Bench) -> None:
    told = _waiting(bench).enable
    if told.status == 503:
        text = told.headers.get("retry-after", "")
        require(text.isdigit(), f"Retry-After is {text!r}, and must be seconds", told)


def lookup_refused(bench: Bench) -> None:
    expect(_waiting(bench).lookup, 503)


def becomes_ready(bench: Bench) -> None:
    ready = _waiting(bench).ready
    if isinstance(ready, Failed):
        raise ready


def refused_is_not_stored(bench: Bench) -> None:
    seen = _waiting(bench)
    if seen.enable.status == 503:
        require(seen.after.status != 200, "it is registered", seen.after)


@dataclass(frozen=True, slots=True)
class Recovered:
    """Look-ups after a kill and a start, by what the broker has of each ticket."""

    both: Payload
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
            server.broker_opens(payload)
            registered(server, payload)
        server.kill()
        server.broker_opens(found)
        server.broker_opens({**differs, **OTHER_FIELDS})
        server.broker_closes(gone)
        server.restart()
        first = server.lookup(both["ticket"])

        def later(payload: Payload, wanted: int) -> Exchange:
            path = f"/dtms/trade/{payload['ticket']}"
            return server.until(lambda told: told.status == wanted, path, SETTLED_S_MAX)

        gone_path = f"/dtms/trade/{gone['ticket']}"
        differs_path = f"/dtms/trade/{differs['ticket']}"
        return Recovered(
            both,
            first,
            later(both, 200),
            server.until(_is_closed, gone_path, SETTLED_S_MAX),
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
    require(not _is_closed(seen.both_later), "it is closed", seen.both_later)


def closes(bench: Bench) -> None:
    told = _recovered(bench).gone
    require(_is_closed(told), "it is not closed", told)


def adopts(bench: Bench) -> None:
    seen = _recovered(bench)
    expect(seen.found_later, 200)
    is_told(seen.found_later, seen.found)


def broker_wins(bench: Bench) -> None:
    seen = _recovered(bench)
    expect(seen.differs_later, 200)
    is_told(seen.differs_later, {**seen.differs, **OTHER_FIELDS})


def _no_answer_is_not_empty(mode: str, bench: Bench) -> None:
    payload = good(bench.ticket())
    with bench.own(broker=True) as server:
        server.broker_opens(payload)
        registered(server, payload)
        server.kill()
        server.broker_behaves(mode)
        server.start()
        told = server.first_answer("/dtms/health")
        require(told.status != 200, "it is ready, and the broker has told nothing", told)
        server.broker_behaves("ok")
        server.must_be_ready()
        told = server.lookup(payload["ticket"])
        expect(told, 200)
        require(not _is_closed(told), "it was closed while the broker told nothing", told)


def down_is_not_empty(bench: Bench) -> None:
    _no_answer_is_not_empty("down", bench)


def no_data_is_not_empty(bench: Bench) -> None:
    _no_answer_is_not_empty("no_data", bench)


def failed_start(bench: Bench) -> None:
    with bench.own(start=False) as server:
        server.spoil_data_folder()
        server.start()
        status = server.ends(ENDS_S_MAX)
        if status is None:
            told = server.get("/dtms/health")
            raise Failed(f"it runs on after {ENDS_S_MAX:g} s, and has no store", told)
        require(status != 0, "it ended with status 0, as if all was well")


def second_instance(bench: Bench) -> None:
    payload = good(bench.ticket())
    with bench.own() as server:
        registered(server, payload)
        status = server.second()
        require(status is not None, "the second had not ended after 10 s")
        require(status != 0, "the second ended with status 0, as if it had served")
        is_told(server.lookup(payload["ticket"]), payload)
        _takes_another(bench, server)


def _takes_another(bench: Bench, server: Server) -> None:
    registered(server, good(bench.ticket()))


def _is_closed(told: Exchange) -> bool:
    return told.status == 404 or (told.status == 200 and state_of(told) == "CLOSED")


def _volume_of(told: Exchange) -> object:
    info = told.json.get("trade_info") if isinstance(told.json, dict) else None
    return info.get("volume") if isinstance(info, dict) else None


_TOPIC = "start-up"
_BROKER: frozenset[Need] = frozenset({"own", "broker"})
_OWN: frozenset[Need] = frozenset({"own"})
CHECKS = (
    Check(
        "not-ready",
        "MUST",
        _TOPIC,
        "Until the broker has answered, /dtms/health is 503 with its fields and error.",
        not_ready,
        _BROKER,
    ),
    Check(
        "not-healthy",
        "MUST",
        _TOPIC,
        "While not initialised, /health is 503, unhealthy or degraded.",
        not_healthy,
        _BROKER,
    ),
    Check(
        "not-ready-enable",
        "MUST",
        _TOPIC,
        "While not initialised, a registration is 503.",
        enable_refused,
        _BROKER,
    ),
    Check(
        "not-ready-retry-after",
        "MUST",
        _TOPIC,
        "The 503 of a registration carries Retry-After.",
        retry_after,
        _BROKER,
    ),
    Check(
        "not-ready-lookup",
        "MUST",
        _TOPIC,
        "While not initialised, a look-up is 503, not 404.",
        lookup_refused,
        _BROKER,
    ),
    Check(
        "not-ready-stores-nothing",
        "MUST",
        _TOPIC,
        "What was refused with 503 is not registered afterwards.",
        refused_is_not_stored,
        _BROKER,
    ),
    Check(
        "becomes-ready",
        "MUST",
        _TOPIC,
        "Once the broker answers, the server becomes ready by itself.",
        becomes_ready,
        _BROKER,
    ),
    Check(
        "down-is-not-empty",
        "MUST",
        _TOPIC,
        "A broker that is down at the start changes nothing, and delays ready.",
        down_is_not_empty,
        _BROKER,
    ),
    Check(
        "no-data-is-not-empty",
        "MUST",
        _TOPIC,
        "A broker that says no data at the start changes nothing, and delays ready.",
        no_data_is_not_empty,
        _BROKER,
    ),
    Check(
        "ready-is-recovered",
        "MUST",
        _TOPIC,
        "Ready with a broker means recovered: at the first 200 of /dtms/health trades are there.",
        ready_is_recovered,
        _BROKER,
    ),
    Check(
        "recovery-restores",
        "MUST",
        "recovery",
        "In the store and at the broker: restored.",
        restores,
        _BROKER,
    ),
    Check(
        "recovery-closes",
        "MUST",
        "recovery",
        "In the store, and the broker answered without it: closed.",
        closes,
        _BROKER,
    ),
    Check(
        "recovery-adopts",
        "MUST",
        "recovery",
        "At the broker only: registered.",
        adopts,
        _BROKER,
    ),
    Check(
        "recovery-broker-wins",
        "MUST",
        "recovery",
        "In both with other data: the broker's data win.",
        broker_wins,
        _BROKER,
    ),
    Check(
        "start-fails",
        "MUST",
        _TOPIC,
        "With a store that cannot be opened the process ends, and its status is not 0.",
        failed_start,
        _OWN,
    ),
    Check(
        "second-instance",
        "SHOULD",
        _TOPIC,
        "A second instance on a busy port ends, and the first goes on.",
        second_instance,
        _OWN,
    ),
)
