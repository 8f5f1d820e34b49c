"""The endpoints besides enable, look-up and health, and what every answer has."""

from __future__ import annotations

import re

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Need, expect, require
from scenarios.contract.exchange import Exchange
from scenarios.contract.registrations import good, has_error_body, is_kept, registered

MARK = "contract-0123456789"
TOO_MANY_BYTES = 64 * 1024 + 1
METRICS = ("request", "bucket", "error", "active", "registration", "cycle")
"""What names of the six metrics have in common, whatever a server calls them."""
METRIC = re.compile(rb"[a-zA-Z_:][a-zA-Z0-9_:]*({[^\n]*})? [^ \n]+( -?[0-9]+)?")
"""A sample, as the text format of Prometheus has it."""
STATUS = ("system_active", "uptime", "active_trades", "trades_by_state", "performance")


def root(bench: Bench) -> None:
    told = bench.shared().get("/")
    body = expect(told, 200)
    for name in ("message", "version", "status", "timestamp"):
        require(name in body, f"there is no {name}", told)


def status(bench: Bench) -> None:
    told = bench.shared().get("/dtms/status")
    body = expect(told, 200)
    inner = body.get("dtms_status")
    require(body.get("success") is True, "success is not true", told)
    require(isinstance(body.get("summary"), str), "summary is no string", told)
    found = inner if isinstance(inner, dict) else {}
    for name in (*STATUS, "last_check"):
        require(name in found, f"dtms_status has no {name}", told)


def status_counts(bench: Bench) -> None:
    server = bench.shared()

    def counted() -> tuple[object, object, Exchange]:
        told = server.get("/dtms/status")
        inner = expect(told, 200).get("dtms_status")
        found = inner if isinstance(inner, dict) else {}
        by_state = found.get("trades_by_state")
        active = (
            sum(count for state, count in by_state.items() if state != "CLOSED")
            if isinstance(by_state, dict)
            else None
        )
        return found.get("active_trades"), active, told

    registered(server, good(bench.ticket()))
    active, by_state, told = counted()
    require(isinstance(active, int) and active > 0, f"active_trades is {active!r}", told)
    if bench.starts_it:
        why = f"{active} trades are active, and {by_state} of trades_by_state are not CLOSED"
        require(active == by_state, why, told)


def actions(bench: Bench) -> None:
    told = bench.shared().get("/dtms/actions")
    body = expect(told, 200)
    require(body.get("success") is True, "success is not true", told)
    require(isinstance(body.get("summary"), str), "summary is no string", told)
    require(isinstance(body.get("action_history"), list), "action_history is no list", told)
    require(isinstance(body.get("total_actions"), int), "total_actions is no count", told)


def engine(bench: Bench) -> None:
    expect(bench.shared().get("/dtms/engine"), 200)


def delete(bench: Bench) -> None:
    server, payload = bench.shared(), good(bench.ticket())
    registered(server, payload)
    expect(server.ask("DELETE", f"/dtms/trade/{payload['ticket']}"), 200)
    told = server.lookup(payload["ticket"])
    if told.status != 404:
        body = expect(told, 200)
        require(body.get("state") == "CLOSED", "the registration is not closed", told)


def delete_unknown(bench: Bench) -> None:
    expect(bench.shared().ask("DELETE", f"/dtms/trade/{bench.ticket()}"), 404)


def delete_counts(bench: Bench) -> None:
    server, payload = bench.shared(), good(bench.ticket())
    registered(server, payload)
    before = expect(server.get("/dtms/health"), 200).get("active_trades")
    expect(server.ask("DELETE", f"/dtms/trade/{payload['ticket']}"), 200)
    told = server.get("/dtms/health")
    after = expect(told, 200).get("active_trades")
    if bench.starts_it and isinstance(before, int):
        require(after == before - 1, f"{before} were active before it, {after} after it", told)


def initialize(bench: Bench) -> None:
    server, payload = bench.shared(), good(bench.ticket())
    registered(server, payload)
    for _time in range(2):
        expect(server.ask("POST", "/dtms/initialize"), 200)
    is_kept(server, payload)


def metrics(bench: Bench) -> None:
    told = bench.shared().get("/dtms/metrics")
    require(told.status == 200, f"200 is the status, not {told.status}", told)
    text = told.raw.decode("utf-8", "replace").lower()
    for name in METRICS:
        require(name in text, f"no metric is called after {name}", told)


def metrics_format(bench: Bench) -> None:
    told = bench.shared().get("/dtms/metrics")
    require(told.status == 200, f"200 is the status, not {told.status}", told)
    kind = told.headers.get("content-type", "")
    require(kind.startswith("text/plain"), f"it is {kind!r}, and must be text/plain", told)
    for line in told.raw.splitlines():
        is_sample = METRIC.fullmatch(line) is not None
        require(is_sample or line.startswith(b"#") or not line, f"{line[:80]!r} is none", told)
    require(b'le="+Inf"' in told.raw, "there is no histogram", told)


def correlation_echoed(bench: Bench) -> None:
    server, payload = bench.shared(), good(bench.ticket())
    mark = {"X-Correlation-ID": MARK}
    for told in (server.enable(payload, mark), server.get("/health", mark)):
        found = told.headers.get("x-correlation-id")
        require(found == MARK, f"X-Correlation-ID is {found!r}", told)


def correlation_echoed_in_errors(bench: Bench) -> None:
    server, mark = bench.shared(), {"X-Correlation-ID": MARK}
    answers = (
        server.get(f"/dtms/trade/{bench.ticket()}", mark),
        server.get("/dtms/trade/abc", mark),
        server.enable(b"{", mark),
    )
    for told in answers:
        found = told.headers.get("x-correlation-id")
        require(found == MARK, f"X-Correlation-ID is {found!r}", told)


def correlation_in_errors(bench: Bench) -> None:
    path = f"/dtms/trade/{bench.ticket()}"
    told = bench.shared().get(path, {"X-Correlation-ID": MARK})
    if told.status == 200:
        return  # `lookup-unknown` says so
    body = expect(told, 404)
    require(body.get("correlation_id") == MARK, "the body has another correlation_id", told)


def error_bodies(bench: Bench) -> None:
    server = bench.shared()
    payload = good(bench.ticket())
    registered(server, payload)
    answers = (
        server.lookup(bench.ticket()),
        server.lookup("abc"),
        server.enable({**payload, "volume": 0.2}),
        server.enable({**payload, "ticket": "3"}),
        server.enable(b"{"),
        server.enable(b" " * TOO_MANY_BYTES),
    )
    for told in answers:
        if told.status is not None and told.status < 400:
            continue  # what was to be refused here, others check
        has_error_body(told)


def json_out(bench: Bench) -> None:
    server = bench.shared()
    for told in (server.get("/dtms/health"), server.enable(good(bench.ticket()))):
        kind = told.headers.get("content-type", "")
        require(kind.split(";")[0].strip() == "application/json", f"it is {kind!r}", told)


_TOPIC = "optional endpoints"
_OPTIONAL: frozenset[Need] = frozenset({"optional"})
CHECKS = (
    Check(
        "root",
        "SHOULD",
        _TOPIC,
        "GET /: message, version, status, timestamp.",
        root,
        _OPTIONAL,
    ),
    Check(
        "status",
        "SHOULD",
        _TOPIC,
        "GET /dtms/status: success, summary, dtms_status with all its parts.",
        status,
        _OPTIONAL,
    ),
    Check(
        "status-counts",
        "SHOULD",
        _TOPIC,
        "active_trades and trades_by_state of /dtms/status count the same trades.",
        status_counts,
        _OPTIONAL,
    ),
    Check(
        "actions",
        "SHOULD",
        _TOPIC,
        "GET /dtms/actions: success, summary, action_history, total_actions.",
        actions,
        _OPTIONAL,
    ),
    Check("engine", "SHOULD", _TOPIC, "GET /dtms/engine: an object.", engine, _OPTIONAL),
    Check(
        "delete",
        "SHOULD",
        _TOPIC,
        "DELETE closes a registration: 200, and the look-up says CLOSED.",
        delete,
        _OPTIONAL,
    ),
    Check(
        "delete-unknown",
        "SHOULD",
        _TOPIC,
        "DELETE of an unknown ticket: 404.",
        delete_unknown,
        _OPTIONAL,
    ),
    Check(
        "delete-counts",
        "SHOULD",
        _TOPIC,
        "What was closed by DELETE counts as active no more.",
        delete_counts,
        _OPTIONAL,
    ),
    Check(
        "initialize",
        "SHOULD",
        _TOPIC,
        "POST /dtms/initialize: 200, as often as asked, and live trades stay.",
        initialize,
        _OPTIONAL,
    ),
    Check(
        "metrics",
        "SHOULD",
        _TOPIC,
        "GET /dtms/metrics: requests, latency, errors, active trades, registrations, cycle time.",
        metrics,
        _OPTIONAL,
    ),
    Check(
        "metrics-format",
        "SHOULD",
        _TOPIC,
        "GET /dtms/metrics is Prometheus text, with a histogram.",
        metrics_format,
        _OPTIONAL,
    ),
    Check(
        "correlation-echoed",
        "SHOULD",
        "every answer",
        "X-Correlation-ID is accepted and echoed.",
        correlation_echoed,
    ),
    Check(
        "correlation-echoed-in-errors",
        "SHOULD",
        "every answer",
        "X-Correlation-ID is echoed by answers that refuse, too.",
        correlation_echoed_in_errors,
    ),
    Check(
        "correlation-in-errors",
        "SHOULD",
        "every answer",
        "An error body's correlation_id is the one that was sent.",
        correlation_in_errors,
    ),
    Check(
        "error-bodies",
        "SHOULD",
        "every answer",
        "Every error body has error, message, details, correlation_id.",
        error_bodies,
    ),
    Check("json-out", "SHOULD", "every answer", "Answers are application/json.", json_out),
)
