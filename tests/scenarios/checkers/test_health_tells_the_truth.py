from __future__ import annotations

import pytest

from scenarios.checkers.health_tells_the_truth import health_tells_the_truth
from scenarios.verdict import Unknown, Valid


def health(at_s, told, lane=0):
    return f"{at_s}s auditor/{lane} invoke health\n{at_s + 0.01:.3f}s auditor/{lane} {told}\n"


READY = "ok health 200 ready=true dtms_initialized=true monitoring_active=true"


@pytest.mark.parametrize(
    "told",
    [
        READY,
        "ok health 200 status=healthy dtms_initialized=true dtms_available=true",
        "ok health 503 ready=false dtms_initialized=false error=starting",
        "ok health 503 status=degraded dtms_initialized=true",
        "ok health 500 ready=false error=failed",
        "ok health 429 error=slow_down",
    ],
)
def test_an_answer_that_agrees_with_itself_is_valid(history, told):
    assert health_tells_the_truth(history(health(1, told))) == Valid()


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("ok health 200 ready=false", "health answered 200 with ready false"),
        ("ok health 200 ready=null", "health answered 200 with ready null"),
        ("ok health 200 ready=1", "health answered 200 with ready 1"),
        ('ok health 200 ready="true"', "health answered 200 with ready 'true'"),
        ("ok health 200 x=1", "health answered 200 with ready null"),
        (
            "ok health 200 ready=true dtms_initialized=false",
            "health answered 200 with dtms_initialized false",
        ),
        (
            "ok health 200 ready=true monitoring_active=null",
            "health answered 200 with monitoring_active null",
        ),
        (
            "ok health 200 ready=true status=degraded",
            "health answered 200 with status degraded",
        ),
        ("ok health 503 ready=true", "health answered 503 with ready true"),
        ("ok health 500 status=healthy", "health answered 500 with status healthy"),
        ("ok health 404 error=unknown", "health answered 404"),
        (
            'ok health {"status_code": 200, "ready": null, "body": "fine"}',
            "health answered 200 without an object",
        ),
    ],
)
def test_an_answer_that_contradicts_itself_is_invalid(history, told, why):
    verdict = health_tells_the_truth(history(health(1, told)))
    assert (verdict.why, verdict.evidence) == (why, (1, 2))


def test_what_the_wire_shows_of_the_server_counts(history):
    told = history(
        "1s wire/0 invoke health\n"
        '2s wire/0 info health {"server_status": 503, "server_body": {"ready": true}}'
    )
    assert health_tells_the_truth(told).why == "health answered 503 with ready true"


def test_an_answer_that_a_fault_made_up_is_not_the_servers(history):
    told = history(
        "1s wire/0 invoke health\n 2s wire/0 ok health 404 fault=AnswerFor\n" + health(3, READY)
    )
    assert health_tells_the_truth(told) == Valid()


@pytest.mark.parametrize(
    "down",
    [
        ("1s world ok kill dtms\n 1s world ok exited dtms\n", "3s world ok start dtms\n"),
        ("1s world ok exited dtms exit_status=-9\n", ""),
        ("1s world ok pause dtms\n", "3s world ok resume dtms\n"),
    ],
)
def test_an_answer_while_the_server_is_down_is_invalid(history, down):
    before, after = down
    verdict = health_tells_the_truth(history(before + health(2, READY) + after))
    assert verdict.why == "health answered 200 while the server was down"


@pytest.mark.parametrize(
    "text",
    [
        # Asked before it died, or answered after it was back.
        "0.9s auditor/0 invoke health\n 1s world ok exited dtms\n"
        f"1.1s auditor/0 {READY}\n 2s world ok start dtms\n",
        "1s world ok pause dtms\n 1.1s auditor/0 invoke health\n 2s world ok resume dtms\n"
        f"2.1s auditor/0 {READY}\n",
        # A kill that has not yet ended it.
        "1s world ok kill dtms\n" + health(1.001, READY) + "1.1s world ok exited dtms\n",
        # Somebody else is down.
        "1s world ok exited broker\n" + health(2, READY),
        "1s world ok exited dtms-second\n" + health(2, READY),
    ],
)
def test_an_answer_across_the_border_is_valid(history, text):
    assert health_tells_the_truth(history(text)) == Valid()


TURNED_AWAY = "1.1s wire/0 invoke enable 1001\n 1.2s wire/0 ok enable 1001 not_ready\n"


def test_turning_registrations_away_while_saying_ready_is_invalid(history):
    verdict = health_tells_the_truth(history(health(1, READY) + TURNED_AWAY + health(1.3, READY)))
    why = "health said ready while 1001 was turned away as not ready"
    assert (verdict.why, verdict.tickets) == (why, (1001,))


@pytest.mark.parametrize(
    "text",
    [
        # One of the two said not ready, or is missing, or something happened, or was long ago.
        health(1, READY) + TURNED_AWAY + health(1.3, "ok health 503 ready=false"),
        health(1, "ok health 503 ready=false") + TURNED_AWAY + health(1.3, READY),
        TURNED_AWAY + health(1.3, READY),
        health(1, READY) + TURNED_AWAY,
        health(1, READY) + "1.05s world ok stop dtms\n" + TURNED_AWAY + health(1.3, READY),
        health(1, READY) + TURNED_AWAY + health(2.5, READY),
        # Turned away for another reason, or not by the server.
        health(1, READY) + TURNED_AWAY.replace("not_ready", "503") + health(1.3, READY),
        health(1, READY)
        + TURNED_AWAY.replace("not_ready", "not_ready fault=AnswerFor")
        + health(1.3, READY),
    ],
)
def test_turning_away_proves_nothing_where_readiness_may_have_changed(history, text):
    assert health_tells_the_truth(history(text)) == Valid()


@pytest.mark.parametrize("text", ["", "1s auditor/0 invoke health\n 2s auditor/0 info health"])
def test_no_answer_at_all_is_unknown(history, text):
    assert health_tells_the_truth(history(text)) == Unknown("no health answer was recorded")
