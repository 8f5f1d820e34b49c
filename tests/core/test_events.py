import io
import json

import pytest

from core.events import Events, Level


@pytest.fixture
def events(clock, log) -> Events:
    return Events(log, clock=clock, service="bot")


def test_an_event_is_one_json_line_with_the_names_that_all_share(events, events_of) -> None:
    events.emit(
        Level.WARNING, "attempt_failed", ticket=7, attempt=2, correlation_id="c1", outcome="PENDING"
    )
    assert events_of() == [
        {
            "time": "2026-01-01T00:00:00+00:00",
            "level": "WARNING",
            "event": "attempt_failed",
            "service": "bot",
            "ticket": 7,
            "attempt": 2,
            "correlation_id": "c1",
            "outcome": "PENDING",
        }
    ]


def test_a_line_break_in_a_value_does_not_break_the_line(events, log) -> None:
    events.emit(Level.ERROR, "x", reason='a\nb "c" \udc80')
    assert log.getvalue().count("\n") == 1
    assert json.loads(log.getvalue())["reason"] == 'a\nb "c" \udc80'


def test_what_json_does_not_know_is_written_as_text(events, events_of) -> None:
    events.emit(Level.ERROR, "x", reason=ValueError("boom"))
    assert events_of()[0]["reason"] == "boom"


def test_below_its_level_nothing_is_written(clock, log) -> None:
    Events(log, clock=clock, service="bot", level=Level.WARNING).emit(Level.INFO, "x")
    assert log.getvalue() == ""


class Broken(io.StringIO):
    broken = True

    def write(self, text: str) -> int:
        if self.broken:
            raise OSError("disk full")
        return super().write(text)


def test_a_stream_that_fails_costs_nobody_anything_and_is_told_later(clock) -> None:
    stream = Broken()
    events = Events(stream, clock=clock, service="bot")
    events.emit(Level.INFO, "a")
    events.emit(Level.INFO, "b")
    assert events.lost == 2
    stream.broken = False
    events.emit(Level.INFO, "c")
    events.emit(Level.INFO, "d")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("events_lost_before") for line in lines] == [2, None]


def test_a_closed_stream_is_one_that_fails(events, log) -> None:
    log.close()
    events.emit(Level.INFO, "a")
    assert events.lost == 1
