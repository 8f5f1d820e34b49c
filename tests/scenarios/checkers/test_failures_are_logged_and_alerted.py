from __future__ import annotations

import json

import pytest

from scenarios.checkers.failures_are_logged_and_alerted import failures_are_logged_and_alerted
from scenarios.verdict import Unknown, Valid

WARNING = {"level": "WARNING", "event": "attempt_failed", "ticket": 1001}
ERROR = {"level": "ERROR", "event": "registrations_failing", "ticket": 1001}


def exchange(at_s, answer="ok enable 1001 503", lane=0):
    f = answer.split()[1]
    ticket = "1001" if f != "health" else ""
    return f"{at_s}s wire/{lane} invoke {f} {ticket}\n{at_s + 0.01:.3f}s wire/{lane} {answer}\n"


def audit(*, alerts=(), events=()):
    told = json.dumps({"alerts": list(alerts), "events": list(events)})
    return f"8s bot/9 invoke audit\n 8.1s bot/9 ok audit {told}\n"


THREE = exchange(1) + exchange(2) + exchange(3)


@pytest.mark.parametrize(
    "text",
    [
        exchange(1) + exchange(2) + audit(events=[WARNING]),
        THREE + audit(alerts=[ERROR], events=[WARNING]),
        THREE + audit(alerts=[{**ERROR, "level": "critical"}], events=[WARNING]),
        # Not three in a row: a success lies in between, or the client may have seen it so.
        exchange(1)
        + exchange(2)
        + exchange(2.5, "ok enable 1001 new")
        + exchange(3)
        + audit(events=[WARNING]),
        exchange(1)
        + exchange(2)
        + exchange(3)
        + exchange(3.04, "ok lookup 1001 held", lane=1)
        + audit(events=[WARNING]),
        exchange(1, "info enable 1001")
        + exchange(1.1, "info enable 1001")
        + exchange(1.2, "info enable 1001")
        + exchange(1.5, "ok lookup 1001 held")
        + audit(events=[WARNING]),
        # What was seen before the service was killed is not asked for.
        THREE + "4s world ok exited bot\n" + exchange(5) + audit(events=[WARNING]),
        # A refusal that is told.
        "1s bot/0 invoke register 1001\n 2s bot/0 fail register 1001 reason=rejected\n"
        + audit(alerts=[ERROR]),
    ],
)
def test_what_failed_and_is_told_is_valid(history, text):
    assert failures_are_logged_and_alerted(history(text)) == Valid()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (exchange(1) + audit(), "bot saw failures and is silent about them"),
        (
            exchange(1) + audit(events=[{**WARNING, "level": "INFO"}]),
            "bot saw failures and is silent about them",
        ),
        (THREE + audit(events=[WARNING]), "bot saw 3 failures in a row and alerted nobody"),
        # An alert that is none, and an error that is only logged.
        (
            THREE + audit(alerts=[WARNING], events=[ERROR]),
            "bot saw 3 failures in a row and alerted nobody",
        ),
        # Probes that are answered well do not end a streak of registrations that fail.
        (
            exchange(1)
            + exchange(1.5, "ok health ready")
            + exchange(2)
            + exchange(2.5, "ok health ready")
            + exchange(3)
            + audit(events=[WARNING]),
            "bot saw 3 failures in a row and alerted nobody",
        ),
        (
            exchange(1, "info health")
            + exchange(2, "fail health")
            + exchange(3, "ok health 503")
            + audit(events=[WARNING]),
            "bot saw 3 failures in a row and alerted nobody",
        ),
        (
            "1s bot/0 invoke register 1001\n 2s bot/0 fail register 1001 reason=conflict\n"
            + audit(events=[{**WARNING, "ticket": 1002}]),
            "bot reported 1001 as failed and logged no warning about it",
        ),
        (
            "1s bot/0 invoke register 1001\n 2s bot/0 fail register 1001 reason=rejected\n"
            + audit(),
            "bot saw failures and is silent about them",
        ),
    ],
)
def test_silence_is_invalid(history, text, why):
    assert failures_are_logged_and_alerted(history(text)).why == why


CUT = (
    exchange(0.1, "ok enable 1001 new")
    + '0.5s nemesis ok inflict {{"fault": "refuse", "link": "{link}"}}\n'
    + "1s bot/0 invoke register 1002\n"
    + '{until}s nemesis ok undo {{"fault": "refuse", "link": "{link}"}}\n'
    + "7s bot/0 ok register 1002\n"
)
DOWN = (
    "0s world ok start dtms\n"
    + exchange(0.1, "ok enable 1001 new")
    + "0.5s world ok exited dtms\n1s bot/0 invoke register 1002\n5s world ok start dtms\n"
    + "7s bot/0 ok register 1002\n"
)
SILENT = "bot saw failures and is silent about them"


@pytest.mark.parametrize(
    ("text", "events", "why"),
    [
        (CUT.format(link="bot->dtms", until=2.1), [], SILENT),
        (CUT.format(link="*->dtms", until=2.1), [], SILENT),
        (DOWN, [], SILENT),
        (DOWN, [WARNING], "bot saw 3 failures in a row and alerted nobody"),
    ],
)
def test_a_call_that_waits_while_nothing_can_connect_must_be_told(history, text, events, why):
    assert failures_are_logged_and_alerted(history(text + audit(events=events))).why == why


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (CUT.format(link="bot->dtms", until=1.9), Unknown("nothing failed")),
        (CUT.format(link="desktop->dtms", until=6), Unknown("nothing failed")),
        # The service may not have been up before the cut was over.
        (DOWN.replace(exchange(0.1, "ok enable 1001 new"), ""), Unknown("nothing failed")),
    ],
)
def test_a_short_cut_anothers_or_one_before_the_service_was_up_proves_nothing(
    history, text, verdict
):
    assert failures_are_logged_and_alerted(history(text + audit())) == verdict


def test_failures_that_only_the_client_saw_and_told_are_valid(history):
    told = history(CUT.format(link="bot->dtms", until=2.1) + audit(events=[WARNING]))
    assert failures_are_logged_and_alerted(told) == Valid()


def test_what_ends_when_the_episode_is_over_is_no_restart(history):
    told = history(
        THREE + audit(events=[WARNING]) + "9s world ok phase end\n 9.1s world ok exited bot"
    )
    assert failures_are_logged_and_alerted(told).why == (
        "bot saw 3 failures in a row and alerted nobody"
    )


def test_each_service_tells_of_its_own(history):
    other = "\n".join(
        f"{n}s wire/7 invoke enable 1002 service=desktop\n{n}.1s wire/7 ok enable 1002 503"
        for n in (4, 5, 6)
    )
    told = history(
        THREE + other + "\n8s desktop/9 invoke audit\n"
        '8.1s desktop/9 ok audit {"events": [{"level": "WARNING"}]}\n'
        + audit(alerts=[ERROR], events=[WARNING])
    )
    assert failures_are_logged_and_alerted(told).why == (
        "desktop saw 3 failures in a row and alerted nobody"
    )


@pytest.mark.parametrize(
    ("text", "level", "why"),
    [
        ("", "durable", "nothing failed"),
        (exchange(1, "ok enable 1001 new") + audit(), "durable", "nothing failed"),
        (THREE, "durable", "bot saw failures and was not asked what it logged"),
        (audit(), "durable", "nothing failed"),
        (THREE, "helper", "only a durable client can be asked what it logged"),
    ],
)
def test_nobody_to_ask_is_unknown(history, text, level, why):
    assert failures_are_logged_and_alerted(history(text, level=level)) == Unknown(why)
