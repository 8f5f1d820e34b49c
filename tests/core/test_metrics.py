from prometheus_client import CollectorRegistry, generate_latest

from core.metrics import Metrics


def test_every_metric_is_shown_by_the_registry_it_was_given() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.outcomes.labels("REGISTERED").inc()
    metrics.latency.observe(0.02)
    text = generate_latest(registry).decode()
    for name in (
        "dtms_client_attempts_total",
        "dtms_client_failed_attempts_total",
        'dtms_client_outcomes_total{outcome="REGISTERED"} 1.0',
        'dtms_client_drive_seconds_bucket{le="0.025"} 1.0',
        "dtms_client_retries_denied_total",
        "dtms_client_breaker_open",
        "dtms_client_pending",
    ):
        assert name in text


def test_two_cores_count_apart() -> None:
    one, other = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    one.attempts.inc()
    assert other.registry.get_sample_value("dtms_client_attempts_total") == 0
    assert one.registry.get_sample_value("dtms_client_attempts_total") == 1
