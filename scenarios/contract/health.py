"""GET /health and GET /dtms/health of a server that is ready."""

from __future__ import annotations

from datetime import datetime

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, expect, require
from scenarios.contract.exchange import Exchange
from scenarios.contract.registrations import good, registered


def health(bench: Bench) -> None:
    told = bench.shared().get("/health")
    body = expect(told, 200)
    require(body.get("status") == "healthy", "status is not healthy", told)
    for name in ("dtms_initialized", "dtms_available"):
        require(body.get(name) is True, f"{name} is not true", told)
    require("timestamp" in body, "there is no timestamp", told)


def dtms_health(bench: Bench) -> None:
    told = bench.shared().get("/dtms/health")
    body = expect(told, 200)
    for name in ("dtms_initialized", "monitoring_active", "ready"):
        require(body.get(name) is True, f"{name} is not true", told)
    has_health_fields(told)


def has_health_fields(told: Exchange) -> None:
    """Those that /dtms/health has whatever its status. Raises `Failed`."""
    body = told.json if isinstance(told.json, dict) else {}
    for name in ("dtms_initialized", "monitoring_active", "ready"):
        require(isinstance(body.get(name), bool), f"{name} is no boolean", told)
    count = body.get("active_trades")
    is_count = isinstance(count, int) and not isinstance(count, bool) and count >= 0
    require(is_count, "active_trades is no count", told)
    require("timestamp" in body, "there is no timestamp", told)


def counts(bench: Bench) -> None:
    server = bench.shared()
    before = expect(server.get("/dtms/health"), 200).get("active_trades")
    registered(server, good(bench.ticket()))
    told = server.get("/dtms/health")
    after = expect(told, 200).get("active_trades")
    require(isinstance(before, int) and isinstance(after, int), "active_trades is no count", told)
    assert isinstance(before, int)
    assert isinstance(after, int)
    # Others may register at a server that the lab has not started.
    wanted = after == before + 1 if bench.starts_it else after > 0
    require(wanted, f"{before} active trades before a registration, {after} after it", told)


def timestamps(bench: Bench) -> None:
    for path in ("/health", "/dtms/health"):
        told = bench.shared().get(path)
        text = expect(told, 200).get("timestamp")
        try:
            datetime.fromisoformat(str(text))
        except ValueError:
            require(False, f"{text!r} is no time as ISO 8601 has it", told)


_TOPIC = "health"
CHECKS = (
    Check(
        "health",
        "MUST",
        _TOPIC,
        "GET /health: 200, status healthy, dtms_initialized, dtms_available, timestamp.",
        health,
    ),
    Check(
        "dtms-health",
        "MUST",
        _TOPIC,
        "GET /dtms/health: 200, dtms_initialized, monitoring_active, active_trades, ready.",
        dtms_health,
    ),
    Check(
        "dtms-health-counts",
        "MUST",
        _TOPIC,
        "active_trades of /dtms/health counts what was registered.",
        counts,
    ),
    Check("health-timestamps", "SHOULD", _TOPIC, "Timestamps are ISO 8601.", timestamps),
)
