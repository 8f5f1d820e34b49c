from __future__ import annotations

import json

import pytest

from scenarios.checkers.nothing_leaks import SLACK, nothing_leaks
from scenarios.verdict import Unknown, Valid

NOTHING = dict.fromkeys(SLACK, 0)


def audit(leaks, service="bot"):
    told = json.dumps({"leaks": leaks})
    return f"8s {service}/0 invoke audit\n 8.1s {service}/0 ok audit {told}\n"


@pytest.mark.parametrize("leaks", [NOTHING, dict(SLACK), {**NOTHING, "files": -3}])
def test_nothing_or_no_more_than_the_slack_is_valid(history, leaks):
    assert nothing_leaks(history(audit(leaks))) == Valid()


@pytest.mark.parametrize("kind", list(SLACK))
def test_more_than_the_slack_is_invalid(history, kind):
    left = SLACK[kind] + 1
    verdict = nothing_leaks(history(audit({**NOTHING, kind: left})))
    assert verdict.why == (
        f"bot is left with {left} more {kind} than before, {SLACK[kind]} are allowed"
    )


def test_one_service_that_leaks_is_enough(history):
    told = history(audit(NOTHING) + audit({**NOTHING, "tasks": 40}, "desktop"))
    assert nothing_leaks(told).why.startswith("desktop is left with 40 more tasks")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no service was asked what it holds"),
        (
            "8s bot/0 invoke audit\n 9s bot/0 info audit ! ActorGone",
            "no service was asked what it holds",
        ),
        (audit({}), "bot did not say how many tasks it holds"),
        (audit({**NOTHING, "sockets": "many"}), "bot did not say how many sockets it holds"),
    ],
)
def test_what_was_not_told_is_unknown(history, text, why):
    assert nothing_leaks(history(text)) == Unknown(why)
