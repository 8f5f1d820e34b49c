"""Two histories have the same mark where they went the same ways."""

from __future__ import annotations

from scenarios.exploration.fingerprint import fingerprint

ONE = """
    0.1s  bot     invoke register 1001
    0.12s wire/0  invoke enable 1001 service=bot
    0.15s wire/0  ok     enable 1001 new
    0.2s  bot     ok     register 1001
"""


def test_it_is_sixteen_digits(history) -> None:
    assert len(fingerprint(history(ONE))) == 16
    assert int(fingerprint(history(ONE)), 16)


def test_times_do_not_count(history) -> None:
    later = ONE.replace("0.15s", "0.16s").replace("0.2s", "7.5s")
    assert fingerprint(history(later)) == fingerprint(history(ONE))


def test_which_ticket_it_was_does_not_count(history) -> None:
    assert fingerprint(history(ONE.replace("1001", "77"))) == fingerprint(history(ONE))


def test_which_lane_of_a_service_it_was_does_not_count(history) -> None:
    assert fingerprint(history(ONE.replace("bot  ", "bot/3"))) == fingerprint(history(ONE))


def test_how_often_a_way_was_gone_does_not_count(history) -> None:
    twice = ONE + ONE.replace("1001", "1002").replace("0.", "1.")
    assert fingerprint(history(twice)) == fingerprint(history(ONE))


def test_how_an_operation_ended_counts(history) -> None:
    assert fingerprint(history(ONE.replace("bot     ok", "bot     info"))) != fingerprint(
        history(ONE)
    )


def test_a_status_counts(history) -> None:
    assert fingerprint(history(ONE.replace("1001 new", "1001 503"))) != fingerprint(history(ONE))


def test_the_order_counts(history) -> None:
    swapped = """
        0.1s  bot     invoke register 1001
        0.15s bot     ok     register 1001
        0.2s  wire/0  invoke enable 1001 service=bot
        0.3s  wire/0  ok     enable 1001 new
    """
    assert fingerprint(history(swapped)) != fingerprint(history(ONE))


def test_of_an_error_only_the_first_words_count(history) -> None:
    def told(words: str) -> str:
        return fingerprint(history(f"{ONE}\n 1.0s bot info audit ! {words}"))

    assert told("no answer within 5 s") == told("no answer within 6 s")
    assert told("no answer within 5 s") != told("connection was reset")
