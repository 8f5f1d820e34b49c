"""What `GET /dtms/metrics` tells, in Prometheus' text format."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from simulator.engine import Engine

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Of one engine, in a registry of its own."""

    def __init__(self, engine: Engine) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "dtms_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self._errors = Counter("dtms_errors", "Answers of 500 and above.", registry=registry)
        self._latency = Histogram(
            "dtms_request_seconds",
            "From request to answer.",
            ["route"],
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self._cycles = Histogram(
            "dtms_cycle_seconds", "Monitoring cycles.", buckets=LATENCY_BUCKETS_S, registry=registry
        )
        self._registrations = Gauge(
            "dtms_registrations_total",
            "Answers to registrations, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._active = Gauge("dtms_active_trades", "Trades under protection.", registry=registry)
        self._engine = engine
        engine.monitor.observe = self._cycles.observe
        # Looking a child up by its labels costs more than counting; routes are few.
        self._children: dict[tuple[str, int], Counter] = {}
        self._timers: dict[str, Histogram] = {}

    def count(self, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        child = self._children.get((route, status))
        if child is None:
            child = self._children[route, status] = self._requests.labels(route, str(status))
        child.inc()
        timer = self._timers.get(route)
        if timer is None:
            timer = self._timers[route] = self._latency.labels(route)
        timer.observe(seconds)
        if status >= 500:
            self._errors.inc()

    def text(self) -> bytes:
        """Everything, now."""
        self._active.set(self._engine.ledger.active_count)
        for outcome, count in self._engine.outcomes.counts.items():
            self._registrations.labels(outcome).set(count)
        return generate_latest(self._registry)
