import io
import json

from prometheus_client import CollectorRegistry, generate_latest

from core.alerts import Alert, Alerts
from core.events import Events, Level
from core.metrics import Metrics


def alerts_with(log, clock, *sinks) -> Alerts:
    return Alerts(Events(log, clock=clock, service="bot"), sinks)


def test_one_failure_is_a_warning_and_no_alert(log, clock, sink, events_of) -> None:
    alerts_with(log, clock, sink).on_failure(0.0, 7, "reset", attempt=1)
    (event,) = events_of()
    assert (event["level"], event["ticket"], event["attempt"]) == ("WARNING", 7, 1)
    assert sink.alerts == []


def test_three_in_a_row_are_an_alert_once(log, clock, sink) -> None:
    alerts = alerts_with(log, clock, sink)
    for _ in range(6):
        alerts.on_failure(0.0, 7, "reset")
    assert [alert.level for alert in sink.alerts] == [Level.ERROR]


def test_a_success_in_between_starts_the_count_anew(log, clock, sink) -> None:
    alerts = alerts_with(log, clock, sink)
    for _ in range(2):
        alerts.on_failure(0.0, 7, "reset")
    alerts.on_success()
    for _ in range(2):
        alerts.on_failure(0.0, 7, "reset")
    assert sink.alerts == []


def test_down_for_five_minutes_is_critical_once(log, clock, sink) -> None:
    alerts = alerts_with(log, clock, sink)
    for now in (0.0, 100.0, 299.0, 300.1, 400.0):
        alerts.on_failure(now, 7, "refused")
    assert [alert.level for alert in sink.alerts] == [Level.ERROR, Level.CRITICAL]


def test_a_sink_that_fails_is_told_and_the_others_are_served(log, clock, sink, events_of) -> None:
    class Broken:
        def emit(self, alert: Alert) -> None:
            raise RuntimeError("no network")

    alerts = alerts_with(log, clock, Broken(), sink)
    alerts.raise_alert(Alert(Level.ERROR, "conflict", 7, "other data"))
    assert len(sink.alerts) == 1
    assert events_of()[-1]["event"] == "alert_sink_failed"


def test_an_event_is_one_json_line_with_its_names(log, clock, events_of) -> None:
    events = Events(log, clock=clock, service="bot")
    events.emit(Level.INFO, "registration", ticket=7, outcome="REGISTERED", correlation_id="c")
    (event,) = events_of()
    assert event == {
        "time": "2026-01-01T00:00:00+00:00",
        "level": "INFO",
        "event": "registration",
        "service": "bot",
        "ticket": 7,
        "outcome": "REGISTERED",
        "correlation_id": "c",
    }


def test_events_below_the_level_are_not_written(log, clock) -> None:
    Events(log, clock=clock, service="bot").emit(Level.DEBUG, "detail")
    assert log.getvalue() == ""


def test_events_that_could_not_be_written_are_counted(clock) -> None:
    class Full(io.StringIO):
        full = True

        def write(self, text: str) -> int:
            if self.full:
                raise OSError("no space")
            return super().write(text)

    stream = Full()
    events = Events(stream, clock=clock, service="bot")
    events.emit(Level.ERROR, "one")
    events.emit(Level.ERROR, "two")
    stream.full = False
    events.emit(Level.ERROR, "three")
    assert json.loads(stream.getvalue())["events_lost_before"] == 2
    assert events.lost == 0


def test_metrics_live_in_the_registry_they_are_given() -> None:
    first, second = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    first.outcomes.labels("REGISTERED").inc()
    assert b'dtms_client_outcomes_total{outcome="REGISTERED"} 1.0' in generate_latest(
        first.registry
    )
    assert b"REGISTERED" not in generate_latest(second.registry)
