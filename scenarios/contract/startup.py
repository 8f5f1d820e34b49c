"""From the open port to `ready`: what is answered while the broker is away, and afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Failed, Need, expect, require
from scenarios.contract.exchange import Exchange
from scenarios.contract.health import has_health_fields
from scenarios.contract.registrations import Payload, good, has_error_body

OPTIONAL = ("/dtms/status", "/dtms/actions", "/dtms/engine")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a server answered that was started while its broker could tell nothing, and after."""

    payload: Payload
    dtms_health: Exchange
    health: Exchange
    enable: Exchange
    lookup: Exchange
    optional: dict[str, Exchange]
    ready: Exchange | Failed
    after: Exchange


def waiting(bench: Bench) -> Waiting:
    with bench.own(broker=True, start=False) as server:
        server.broker.behaves("down")
        server.start()
        payload = good(bench.ticket())
        dtms_health = server.first_answer("/dtms/health")
        health = server.get("/health")
        enable = server.enable(payload)
        lookup = server.lookup(payload["ticket"])
        optional = {path: server.get(path) for path in OPTIONAL}
        server.broker.behaves("ok")
        ready: Exchange | Failed
        try:
            ready = server.must_be_ready()
        except Failed as error:
            ready = error
        return Waiting(
            payload,
            dtms_health,
            health,
            enable,
            lookup,
            optional,
            ready,
            server.lookup(payload["ticket"]),
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


def optional_refused(path: str, bench: Bench) -> None:
    expect(_waiting(bench).optional[path], 503)


def error_body(bench: Bench) -> None:
    told = _waiting(bench).enable
    if told.status == 503:
        has_error_body(told)


def becomes_ready(bench: Bench) -> None:
    ready = _waiting(bench).ready
    if isinstance(ready, Failed):
        raise ready


def refused_is_not_stored(bench: Bench) -> None:
    seen = _waiting(bench)
    if seen.enable.status == 503:
        require(seen.after.status != 200, "it is registered", seen.after)


_TOPIC = "start-up"
_BROKER: frozenset[Need] = frozenset({"own", "broker"})
_OPTIONAL: frozenset[Need] = frozenset({"own", "broker", "optional"})
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
    *(
        Check(
            f"not-ready-{path.rpartition('/')[2]}",
            "SHOULD",
            _TOPIC,
            f"While not initialised, GET {path} is 503.",
            partial(optional_refused, path),
            _OPTIONAL,
        )
        for path in OPTIONAL
    ),
    Check(
        "not-ready-error-body",
        "SHOULD",
        _TOPIC,
        "The 503 of a registration has error, message, details, correlation_id.",
        error_body,
        _BROKER,
    ),
)
