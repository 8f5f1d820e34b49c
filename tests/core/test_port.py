from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from core.port import UNDECODABLE, Answer, retry_after_s

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.text() | st.from_regex(r"[A-Za-z]{3}, \d+ [A-Za-z]+ \d+ \d+:\d+:\d+ .*", fullmatch=True))
def test_no_header_is_worth_an_exception_or_a_negative_wait(header: str) -> None:
    seconds = retry_after_s(header, NOW)
    assert seconds is None or seconds >= 0


def test_a_date_that_no_calendar_has_says_nothing() -> None:
    assert retry_after_s("Thu, 01 Jan 99999999999 00:01:00 GMT", NOW) is None


def test_a_date_in_the_oldest_allowed_form_is_understood() -> None:
    assert retry_after_s("Thursday, 01-Jan-26 00:01:00 GMT", NOW) == 60


def test_a_body_that_is_no_json_is_told_from_every_json_value() -> None:
    assert repr(Answer(200, UNDECODABLE)).count("UNDECODABLE") == 1
    assert all(value != UNDECODABLE for value in (None, "", 0, [], {}))
