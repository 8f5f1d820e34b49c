from __future__ import annotations

import pytest

from scenarios.checkers.nothing_sent_before_ready import nothing_sent_before_ready
from scenarios.verdict import Unknown, Valid

READY = "2s world ok ready dtms\n"
LATER = "3s wire/0 invoke enable 1001\n 3.1s wire/0 ok enable 1001 new\n"


@pytest.mark.parametrize(
    "early",
    [
        "",
        # No open port, or kept from the server by a fault.
        "1s wire/0 invoke enable 1001\n 1.1s wire/0 fail enable 1001\n",
        "1s wire/0 invoke enable 1001\n 1.1s wire/0 ok enable 1001 503 fault=AnswerFor\n",
        # The server took it: it was ready, only nobody had noted it yet.
        "1.99s wire/0 invoke enable 1001\n 2s wire/0 ok enable 1001 new\n",
        # The probe that was answered so shows it ready from when it began.
        "1s wire/0 invoke health\n 1.2s wire/1 invoke enable 1001\n"
        "1.3s wire/0 ok health ready\n 1.4s wire/1 info enable 1001\n",
        "1s auditor/0 invoke health\n 1.1s auditor/0 ok health 200 ready=true\n"
        "1.2s wire/1 invoke enable 1001\n 1.4s wire/1 ok enable 1001 503\n",
    ],
)
def test_waiting_for_readiness_is_valid(history, early):
    assert nothing_sent_before_ready(history(early + READY + LATER)) == Valid()


def test_a_restarted_server_may_be_met_unready(history):
    told = history(
        READY
        + LATER
        + "4s world ok start dtms\n 5s wire/0 invoke enable 1002\n"
        + "5.1s wire/0 ok enable 1002 not_ready"
    )
    assert nothing_sent_before_ready(told) == Valid()


@pytest.mark.parametrize(
    "early",
    [
        "1s wire/0 invoke enable 1001\n 1.1s wire/0 ok enable 1001 not_ready\n",
        "1s wire/0 invoke enable 1001\n 1.9s wire/0 info enable 1001\n",
        "1s wire/9 invoke enable 1001\n",
        # The probe had said not ready, and it was sent all the same.
        "0.5s wire/0 invoke health\n 0.6s wire/0 ok health unready\n"
        "1s wire/0 invoke enable 1001\n 1.1s wire/0 ok enable 1001 503\n",
        # Made up: the server was never asked.
        "0.5s wire/0 invoke health\n 0.6s wire/0 ok health ready fault=AnswerFor\n"
        "1s wire/0 invoke enable 1001\n 1.1s wire/0 ok enable 1001 503\n",
    ],
)
def test_sent_to_a_server_that_is_not_ready_is_invalid(history, early):
    verdict = nothing_sent_before_ready(history(early + READY + LATER))
    assert verdict.why == "bot sent 1001 before the server was ready"
    assert verdict.tickets == (1001,)


def test_sent_to_a_server_that_never_got_ready_is_invalid(history):
    told = history("1s wire/0 invoke enable 1001\n 1.1s wire/0 ok enable 1001 503")
    assert nothing_sent_before_ready(told).why == "bot sent 1001 before the server was ready"


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "the server was never ready"), (READY, "no registration was sent")],
)
def test_nothing_sent_or_never_ready_is_unknown(history, text, why):
    assert nothing_sent_before_ready(history(text)) == Unknown(why)
