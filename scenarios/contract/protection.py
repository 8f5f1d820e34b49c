"""Rate limits and keys, and a broker that goes away: each by a server started so."""

from __future__ import annotations

from scenarios.contract.bench import UNLIMITED, Bench
from scenarios.contract.check import Check, Need, expect, require
from scenarios.contract.exchange import Exchange
from scenarios.contract.registrations import good, registered
from scenarios.contract.server import ENABLE, JSON, encoded
from scenarios.scenario import ServerOptions

KEY = "contract-key"
LIMITED = ServerOptions(
    rate_limit=True, monitoring_interval_s=30.0, environ={"DTMS_RATE_LIMIT_ENABLED": "true"}
)
KEYED = ServerOptions(
    monitoring_interval_s=30.0, environ={**UNLIMITED.environ, "DTMS_API_KEY": KEY}
)
REGISTRATIONS, QUERIES = 30, 100
"""Well over what the limits let through of a burst: 10 and 30 in a second."""
NOTICED_S_MAX = 5.0


def registrations_limited(bench: Bench) -> None:
    with bench.own(options=LIMITED) as server:
        answers = server.enable_together([good(bench.ticket()) for _ in range(REGISTRATIONS)])
        _is_limited(answers, f"{REGISTRATIONS} registrations at once")


def queries_limited(bench: Bench) -> None:
    with bench.own(options=LIMITED) as server:
        path = "/dtms/trade/1"
        answers = [server.ask("GET", path, limited=True) for _ in range(QUERIES)]
        _is_limited(answers, f"{QUERIES} queries in a row")


def _is_limited(answers: list[Exchange], what: str) -> None:
    limited = [told for told in answers if told.status == 429]
    require(bool(limited), f"of {what} none was answered with 429", answers[-1])
    for told in limited:
        require("retry-after" in told.headers, "the 429 has no Retry-After", told)
    passed = [told for told in answers if told.status != 429]
    require(bool(passed), f"of {what} all were answered with 429", limited[0])


def key_for_registrations(bench: Bench) -> None:
    with bench.own(options=KEYED) as server:
        payload = good(bench.ticket())
        expect(server.enable(payload), 401)
        expect(server.enable(payload, {"X-API-Key": KEY + "x"}), 401)
        expect(server.lookup(payload["ticket"]), 401, 404)
        expect(server.enable(payload, {"X-API-Key": KEY}), 200)


def key_for_initialize(bench: Bench) -> None:
    with bench.own(options=KEYED) as server:
        expect(server.ask("POST", "/dtms/initialize"), 401)
        expect(server.ask("POST", "/dtms/initialize", headers={"X-API-Key": KEY}), 200)


def key_for_delete(bench: Bench) -> None:
    with bench.own(options=KEYED) as server:
        payload, key = good(bench.ticket()), {"X-API-Key": KEY}
        expect(server.ask("POST", ENABLE, encoded(payload), {**JSON, **key}), 200)
        path = f"/dtms/trade/{payload['ticket']}"
        expect(server.ask("DELETE", path), 401)
        expect(server.ask("DELETE", path, headers=key), 200)


def broker_gone(bench: Bench) -> None:
    with bench.own(broker=True, options=BRISK) as server:
        payload = good(bench.ticket())
        server.broker_opens(payload)
        registered(server, payload)
        server.broker_behaves("down")
        told = server.until(lambda told: told.status == 503, "/health", NOTICED_S_MAX)
        body = expect(told, 503)
        status = body.get("status")
        require(status in ("unhealthy", "degraded"), f"status is {status!r}", told)


BRISK = ServerOptions(
    rate_limit=False,
    monitoring_interval_s=0.2,
    environ={**UNLIMITED.environ, "DTMS_MONITORING_INTERVAL": "1"},
)

_TOPIC = "protection"
_OWN: frozenset[Need] = frozenset({"own"})
_OPTIONAL: frozenset[Need] = frozenset({"own", "optional"})
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
        "queries-limited",
        "SHOULD",
        _TOPIC,
        "With limits on, over 30 queries/s of a client: 429 and Retry-After.",
        queries_limited,
        _OWN,
    ),
    Check(
        "key-for-registrations",
        "SHOULD",
        _TOPIC,
        "With a key set, a registration without it or with another: 401.",
        key_for_registrations,
        _OWN,
    ),
    Check(
        "key-for-initialize",
        "SHOULD",
        _TOPIC,
        "With a key set, POST /dtms/initialize without it: 401.",
        key_for_initialize,
        _OPTIONAL,
    ),
    Check(
        "key-for-delete",
        "SHOULD",
        _TOPIC,
        "With a key set, DELETE without it: 401.",
        key_for_delete,
        _OPTIONAL,
    ),
    Check(
        "broker-gone",
        "SHOULD",
        "health",
        "/health is 503 once the broker is gone.",
        broker_gone,
        frozenset({"own", "broker"}),
    ),
)
