from __future__ import annotations

import pytest

from scenarios.checkers.retry_discipline import retry_discipline
from scenarios.verdict import Invalid, Unknown, Valid


def sends(*times_s, answer="ok enable 1001 503", service="bot", lane=0, took_s=0.001):
    """Exchanges that begin at these times."""
    return "\n".join(
        f"{at}s wire/{lane} invoke enable 1001 service={service}\n"
        f"{at + took_s:.6f}s wire/{lane} {answer}"
        for at in times_s
    )


def call(text, begin_s=0.0, end_s=9.0, ended="info", lane=0, service="bot", more=""):
    return (
        f"{begin_s}s {service}/{lane} invoke register 1001 {more}\n{text}\n"
        f"{end_s}s {service}/{lane} {ended} register 1001"
    )


def test_a_first_try_and_three_spaced_retries_are_valid(history):
    assert retry_discipline(history(call(sends(0.1, 0.2, 0.4, 1.0)))) == Valid()


@pytest.mark.parametrize("level", ["durable", "helper"])
def test_one_retry_too_many_in_a_call_is_invalid(history, level):
    told = history(call(sends(0.1, 0.3, 0.6, 1.2, 2.4)), level=level)
    verdict = retry_discipline(told)
    assert verdict.why == "bot sent 1001 5 times in one call, 4 are allowed"
    assert verdict.tickets == (1001,)


def test_the_policy_says_how_many(history, header):
    header["policy"]["retries"] = 0
    verdict = retry_discipline(history(call(sends(0.1, 0.9)), policy=header["policy"]))
    assert verdict.why == "bot sent 1001 2 times in one call, 1 are allowed"


def test_each_of_several_overlapping_calls_may_retry(history):
    both = call(call(sends(0.1, 0.3, 0.6, 1.2, 2.4, 3, 4, 5), 0.01, 8, lane=1))
    assert retry_discipline(history(both)) == Valid()


def test_overlapping_calls_that_send_too_often_together_are_invalid(history):
    both = call(call(sends(0.1, 0.3, 0.6, 1.2, 2.4, 3, 4, 5, 6), 0.01, 8, lane=1))
    why = "bot sent 1001 9 times in 2 overlapping calls, 8 are allowed"
    assert retry_discipline(history(both)).why.startswith(why)


def test_another_services_sends_do_not_count(history):
    told = history(
        call(sends(0.1, 0.3, 0.6, 1.2) + "\n" + sends(2, 3, 4, service="desktop", lane=1))
    )
    assert retry_discipline(told) == Valid()


def test_copies_that_a_fault_made_are_not_the_clients_sends(history):
    copies = sends(3, 4).replace("wire/0", "network/0")
    text = call(sends(0.1, 0.2, 0.4, 1.0) + "\n" + copies)
    assert retry_discipline(history(text)) == Valid()


def test_a_durable_client_goes_on_after_its_call(history):
    told = history(call(sends(0.1, 0.3, 0.6, 1.2), end_s=1.5) + "\n" + sends(2, 3, 4, 5, 6))
    assert retry_discipline(told) == Valid()


def test_a_durable_client_goes_on_with_an_earlier_call_during_a_later_one(history):
    told = history(
        call(sends(0.1, 0.3, 0.6, 1.2), end_s=1.5)
        + "\n"
        + call(sends(2.1, 2.3, 2.6, 3.2, 3.5, 4.5), 2, 6, lane=1)
    )
    assert retry_discipline(told) == Valid()


def test_a_service_that_begins_anew_may_send_anew(history):
    told = history(
        "0s bot/0 invoke register 1001\n"
        + sends(0.1, 0.3, 0.6, 1.2)
        + "\n2s world ok start bot\n"
        + sends(2.1, 2.3, 2.6, 3.2)
        + "\n4s bot/0 info register 1001"
    )
    assert retry_discipline(told) == Valid()


LOOKED_UP = "0.05s wire/0 invoke lookup 1001 service=bot\n0.06s wire/0 ok lookup 1001 404\n"
FIVE = sends(0.1, 0.3, 0.6, 1.2, 2.4)


def test_a_recovery_sends_what_it_missed_during_a_call(history):
    started = "0s world ok start bot\n"
    assert retry_discipline(history(started + call(LOOKED_UP + FIVE))) == Valid()


@pytest.mark.parametrize(
    ("text", "level"),
    [
        (FIVE, "durable"),
        (LOOKED_UP + FIVE, "helper"),
        (sends(0.01) + "\n" + LOOKED_UP + sends(0.3, 0.6, 1.2, 2.4), "durable"),
        (LOOKED_UP + sends(0.1, 0.2, 0.3, 0.6, 0.9, 1.2, 1.8, 2.4, 3.6), "durable"),
    ],
    ids=["no look-up", "nobody recovers", "after a send", "too often for both"],
)
def test_what_no_recovery_sent_counts(history, text, level):
    started = "0s world ok start bot\n"
    verdict = retry_discipline(history(started + call(text), level=level))
    assert isinstance(verdict, Invalid), verdict


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 422])
def test_a_send_after_a_definite_refusal_is_invalid(history, status):
    told = history(call(sends(0.1, 1, answer=f"ok enable 1001 {status}")))
    assert retry_discipline(told).why == f"bot sent 1001 again after a definite {status}"


def test_a_resumed_send_after_a_definite_refusal_is_invalid(history):
    told = history(call(sends(0.1, answer="ok enable 1001 422"), end_s=1) + "\n" + sends(2))
    assert retry_discipline(told).why == "bot sent 1001 again after a definite 422"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_what_asks_for_another_try_may_be_tried_again(history, status):
    told = history(call(sends(0.1, 1, answer=f"ok enable 1001 {status}")))
    assert retry_discipline(told) == Valid()


@pytest.mark.parametrize(
    "text",
    [
        # Nobody heard the refusal.
        call(sends(0.1, answer="info enable 1001 server=422") + "\n" + sends(1)),
        # Somebody asked anew.
        call(sends(0.1, answer="ok enable 1001 422"), end_s=1)
        + "\n"
        + call(sends(2.1, answer="ok enable 1001 422"), 2, lane=1),
        # Another call was open, and had its own try still to make.
        call(call(sends(0.1, 1, answer="ok enable 1001 422"), 0.01, 8, lane=1)),
        # The service began anew, and may not have known.
        call(sends(0.1, answer="ok enable 1001 422"), end_s=0.5, ended="info")
        + "\n1s world ok start bot\n"
        + sends(2),
        # It was under way already.
        "0s bot/0 invoke register 1001\n 0.1s wire/0 invoke enable 1001\n"
        "0.2s wire/1 invoke enable 1001\n 0.3s wire/0 ok enable 1001 422\n"
        "0.4s wire/1 ok enable 1001 422",
    ],
)
def test_a_send_that_has_another_reason_is_valid(history, text):
    assert retry_discipline(history(text)) == Valid()


def throttled(next_s, retry_after="1"):
    return call(
        sends(0.1, answer=f"ok enable 1001 429 retry_after={retry_after}") + "\n" + sends(next_s)
    )


@pytest.mark.parametrize(
    ("next_s", "retry_after"), [(1.101, "1"), (1.06, "1"), (0.3, "soon"), (0.3, "-1"), (0.7, "0.5")]
)
def test_retry_after_is_honoured(history, next_s, retry_after):
    assert retry_discipline(history(throttled(next_s, retry_after))) == Valid()


def test_a_retry_before_retry_after_is_invalid(history):
    verdict = retry_discipline(history(throttled(1.0)))
    assert verdict.why == "bot sent 1001 again after 0.899 s, Retry-After was 1 s"


def test_retry_after_binds_the_resumption_as_well(history):
    told = history(
        call(sends(0.1, answer="ok enable 1001 503 retry_after=3"), end_s=0.2) + "\n" + sends(1)
    )
    assert retry_discipline(told).why == "bot sent 1001 again after 0.899 s, Retry-After was 3 s"


def test_five_sends_within_the_base_are_a_loop(history):
    told = history(call(sends(0.1, 0.5), end_s=1) + "\n" + sends(1.5, 1.52, 1.54, 1.56, 1.58))
    assert retry_discipline(told).why == "bot sent 1001 5 times within 0.1 s"


def test_five_calls_at_once_are_no_loop(history):
    opened = "\n".join(f"0s bot/{n} invoke register 1001" for n in range(5))
    told = history(opened + "\n" + sends(0.01, 0.02, 0.03, 0.04, 0.05, answer="ok enable 1001 new"))
    assert retry_discipline(told) == Valid()


def test_retries_without_back_off_are_invalid(history):
    lines = [
        f"{n + at}s bot/0 {what}\n".replace("1001", str(1001 + n))
        for n in range(3)
        for at, what in ((0.1, "invoke register 1001"), (0.9, "info register 1001"))
    ]
    bursts = [
        sends(*(n + 0.2 + 0.002 * k for k in range(4))).replace("1001", str(1001 + n))
        for n in range(3)
    ]
    text = "\n".join(x for n in range(3) for x in (lines[2 * n], bursts[n], lines[2 * n + 1]))
    verdict = retry_discipline(history(text))
    assert verdict.why == (
        "bot and others retried without back-off: 9 retries after 0.001 s in the mean, "
        "the first may wait 0.1 s"
    )


def test_a_few_short_waits_are_luck(history):
    assert retry_discipline(history(call(sends(0.1, 0.102, 0.104, 0.106)))) == Valid()


@pytest.mark.parametrize(("bound", "valid"), [(None, True), (2.0, True), (1.9, False)])
def test_amplification_is_bounded_where_a_bound_is_given(history, bound, valid):
    text = call(sends(0.1, 0.4, 1.0)) + "\n" + sends(9.5, service="desktop", lane=1)
    verdict = retry_discipline(history(text, bounds={"amplification": bound}))
    if valid:
        assert verdict == Valid()
    else:
        why = "4 sends for 2 registrations, 1.9 for each are allowed"
        assert isinstance(verdict, Invalid)
        assert verdict.why == why


@pytest.mark.parametrize(
    ("text", "policy", "why"),
    [
        ("", {"retries": 3, "base_s": 0.1}, "no registration was sent"),
        (call(""), {"retries": 3, "base_s": 0.1}, "no registration was sent"),
        (
            call(sends(0.1)),
            {},
            "the history does not say how often and how fast clients may retry",
        ),
    ],
)
def test_nothing_to_count_is_unknown(history, text, policy, why):
    assert retry_discipline(history(text, policy=policy)) == Unknown(why)
