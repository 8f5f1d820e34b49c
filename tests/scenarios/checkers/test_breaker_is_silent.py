from __future__ import annotations

import pytest

from scenarios.checkers.breaker_is_silent import breaker_is_silent
from scenarios.verdict import Unknown, Valid


def failures(*times_s, answer="ok health 503", f="health", service="bot"):
    return "\n".join(
        f"{at:.3f}s wire/0 invoke {f} service={service}\n{at + 0.001:.4f}s wire/0 {answer}"
        for at in times_s
    )


FIVE = failures(0.1, 0.2, 0.3, 0.4, 0.5)


@pytest.mark.parametrize(
    "rest",
    [
        "",
        # One probe in the silence, and the rest after it.
        failures(1.0),
        failures(2.0, 3.6),
        # The probe succeeded: it may go on.
        failures(1.5, answer="ok health ready") + "\n" + failures(1.6, 1.7, 1.8),
    ],
)
def test_silence_but_for_a_probe_is_valid(history, rest):
    assert breaker_is_silent(history(f"{FIVE}\n{rest}")) == Valid()


def test_what_was_under_way_when_it_opened_does_not_count(history):
    told = history(
        "\n".join(f"0.05s wire/{n} invoke enable {1000 + n}" for n in range(1, 9))
        + "\n"
        + "\n".join(f"0.{n}s wire/{n} ok enable {1000 + n} 503" for n in range(1, 9))
    )
    assert breaker_is_silent(told) == Valid()


def test_the_client_is_granted_its_timeout_to_notice_that_nothing_comes(history):
    text = failures(0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, answer="info health")
    assert breaker_is_silent(history(text)) == Valid()


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        (failures(0.7, 0.8), "bot sent 2 times within 1.400 s after 5 failures in a row"),
        (failures(0.7, 0.8, 0.9, 1), "bot sent 4 times within 1.400 s after 5 failures in a row"),
        # Silent once, and not after the probe that failed.
        (failures(2.1, 2.3, 2.4), "bot sent 2 times within 1.400 s after 5 failures in a row"),
    ],
)
def test_a_service_that_goes_on_is_invalid(history, rest, why):
    assert breaker_is_silent(history(f"{FIVE}\n{rest}")).why.startswith(why)


def test_refused_connections_are_noticed_at_once(history):
    text = failures(0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, answer="fail health fault=Refuse")
    why = "bot sent 2 times within 1.400 s after 5 failures in a row"
    assert breaker_is_silent(history(text)).why.startswith(why)


def test_registrations_sent_into_the_silence_are_named(history):
    text = f"{FIVE}\n" + failures(0.7, 0.8, f="enable 1001", answer="ok enable 1001 503")
    assert breaker_is_silent(history(text)).tickets == (1001,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        failures(0.1, 0.2, 0.3, 0.4),
        # Never five in a row: a success, a restart, another service in between.
        failures(0.1, 0.2, 0.3)
        + "\n"
        + failures(0.35, answer="ok health ready")
        + "\n"
        + failures(0.4, 0.5, 0.6, 0.7),
        failures(0.1, 0.2, 0.3) + "\n0.35s world ok exited bot\n" + failures(0.4, 0.5, 0.6),
        failures(0.1, 0.2, 0.3) + "\n" + failures(0.4, 0.5, 0.6, service="desktop"),
        # A refusal shows the server at work.
        failures(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, f="enable 1001", answer="ok enable 1001 422"),
    ],
)
def test_no_five_failures_in_a_row_are_unknown(history, text):
    told = history(text)
    assert breaker_is_silent(told) == Unknown("nothing failed often enough in a row")


def test_a_service_that_begins_anew_begins_with_a_closed_breaker(history):
    rest = "0.6s world ok exited bot\n" + failures(0.7, 0.8, 0.9)
    assert breaker_is_silent(history(f"{FIVE}\n{rest}")) == Valid()


def test_a_helper_owes_no_silence(history):
    verdict = breaker_is_silent(history(FIVE, level="helper"))
    assert verdict == Unknown("only a durable client owes silence")


@pytest.mark.parametrize("missing", ["breaker_threshold", "breaker_cooldown_s", "timeout_s"])
def test_without_the_whole_policy_it_is_unknown(history, header, missing):
    del header["policy"][missing]
    verdict = breaker_is_silent(history(FIVE, policy=header["policy"]))
    assert verdict == Unknown("the history does not say when the breaker opens, and for how long")
