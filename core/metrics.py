"""Prometheus metrics of the registration path."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Registered with the registry that is handed in, so that several cores can live beside."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.attempts = Counter(
            "dtms_client_attempts", "Registrations sent, retries included.", registry=registry
        )
        self.failed_attempts = Counter(
            "dtms_client_failed_attempts", "Registrations sent in vain.", registry=registry
        )
        self.outcomes = Counter(
            "dtms_client_outcomes", "Drives by what they ended in.", ["outcome"], registry=registry
        )
        self.latency = Histogram(
            "dtms_client_drive_seconds",
            "From durable intent to outcome.",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.retries_denied = Counter(
            "dtms_client_retries_denied", "Retries the budget did not allow.", registry=registry
        )
        self.breaker_open = Gauge(
            "dtms_client_breaker_open", "1 while nothing is sent.", registry=registry
        )
        self.pending = Gauge(
            "dtms_client_pending", "Intents whose end is not known yet.", registry=registry
        )
