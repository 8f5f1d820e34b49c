"""Histories of registrations as text: each that has no order, and a neighbour that has one."""

from __future__ import annotations

import pytest

from scenarios.linearizability.judge import Budget
from scenarios.linearizability.verdict import judge_by, told_order
from scenarios.verdict import Invalid, Unknown, Valid

ACKNOWLEDGED = """
    0.1s wire/0 invoke enable 1001 service=bot
    0.2s wire/0 ok     enable 1001 new
"""
TRIED = """
    0.1s wire/0 invoke enable 1001 service=bot
    0.2s wire/0 info   enable 1001 ! lost
"""
THERE = "1s auditor ok read-all 1001\n"
GONE = "1s auditor ok read-all 1001:absent\n"
CLOSED = "1s auditor ok read-all 1001:CLOSED\n"


def verdict(history, text, **header):
    return judge_by("registration", history(text, **header))[0]


def lookup(at, answer, lane=5):
    return (
        f"{at}s wire/{lane} invoke lookup 1001 service=bot\n"
        f"{at}s wire/{lane} ok lookup 1001 {answer}\n"
    )


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        (ACKNOWLEDGED + GONE, TRIED + GONE),
        (ACKNOWLEDGED + GONE, ACKNOWLEDGED + THERE),
        (ACKNOWLEDGED + CLOSED, ACKNOWLEDGED + "0.3s bot invoke close 1001\n" + CLOSED),
        (GONE + lookup(2, "already"), TRIED + GONE + lookup(2, "already")),
        (ACKNOWLEDGED + lookup(0.3, 404) + THERE, lookup(0.05, 404) + ACKNOWLEDGED + THERE),
        (ACKNOWLEDGED + ACKNOWLEDGED, ACKNOWLEDGED + ACKNOWLEDGED.replace("new", "already")),
        (
            TRIED + lookup(0.3, "already") + lookup(0.4, 404),
            TRIED + lookup(0.3, 404) + lookup(0.4, "already"),
        ),
        (
            ACKNOWLEDGED + "0.3s wire/1 invoke enable 1001 service=bot\n"
            "0.4s wire/1 ok enable 1001 409\n",
            ACKNOWLEDGED + "0.3s wire/1 invoke enable 1001 service=bot\n"
            "0.4s wire/1 ok enable 1001 503\n",
        ),
    ],
    ids=[
        "lost or never done",
        "lost or kept",
        "closed by nobody or by somebody",
        "there from nowhere or from what was tried",
        "unknown after or before the registration",
        "new twice or already there",
        "gone after it was seen or seen after it was not",
        "a conflict with itself or an error",
    ],
)
def test_what_has_no_order_and_what_has(history, bad, good):
    assert isinstance(verdict(history, bad), Invalid)
    assert verdict(history, good) == Valid()


def test_the_words_say_with_what_it_ended_and_what_was_possible_before(history):
    told, contradiction = judge_by("registration", history(ACKNOWLEDGED + GONE))
    assert told.why == "1001 has no order once operation 3 has ended: lookup -> absent"
    assert told.tickets == (1001,)
    assert told.evidence[:1] == (3,)
    lines = told_order(contradiction)
    assert lines[0].endswith("1 operations, was")
    assert "enable XAUUSD" in lines[1]


def test_what_may_be_the_recoverys_doing_is_not_held_against_the_server(history):
    broker = "0s world ok start broker\n0.01s broker ok execute 1001\n"
    assert verdict(history, broker + lookup(1, "already")) == Valid()
    assert isinstance(verdict(history, lookup(1, "already")), Invalid)


BROKER = "0s world ok start broker\n0.05s broker ok execute 1001\n"
LIES = '0.3s nemesis ok inflict {"fault": "broker-fault"}\n'
OTHER = "1s auditor ok read-all 1001:volume=9\n"


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        (BROKER + ACKNOWLEDGED + OTHER, BROKER + ACKNOWLEDGED + LIES + OTHER),
        (BROKER + ACKNOWLEDGED + CLOSED, BROKER + ACKNOWLEDGED + LIES + CLOSED),
        (BROKER + LIES + ACKNOWLEDGED + GONE, BROKER + LIES + TRIED + GONE),
        (
            BROKER + ACKNOWLEDGED + GONE,
            BROKER + ACKNOWLEDGED + '0.3s nemesis ok inflict {"fault": "corrupt-store"}\n' + GONE,
        ),
    ],
    ids=["other data", "closed", "a lie loses nothing", "a store that was corrupt"],
)
def test_what_a_fault_lets_the_server_do(history, bad, good):
    assert isinstance(verdict(history, bad), Invalid)
    assert verdict(history, good) == Valid()


def test_a_history_without_registrations_is_unknown(history):
    told = verdict(history, "0.1s world ok start dtms\n")
    assert told == Unknown("there is nothing in it that the model registration is about")


def test_a_budget_that_is_spent_is_unknown_and_says_on_what(history):
    told, _none = judge_by("registration", history(ACKNOWLEDGED + THERE), Budget(steps=1))
    assert told == Unknown("the budget was spent after 1 steps, on 1001")


SAID = "0.1s bot invoke register 1001\n0.2s bot ok register 1001\n"
ANOTHERS = "0.1s wire/0 invoke other 1001\n0.2s wire/0 ok other 1001 200\n"


def test_where_nobody_watched_the_exchanges_what_services_say_counts(history):
    assert isinstance(verdict(history, SAID + GONE), Invalid)
    assert verdict(history, SAID.replace(" ok ", " info ") + GONE) == Valid()


def test_what_services_gave_to_others_was_never_registered(history):
    assert verdict(history, ANOTHERS + SAID + GONE) == Valid()
    with_strategy = SAID.replace("1001\n0.2s", "1001 strategy_type=x\n0.2s")
    assert verdict(history, with_strategy + GONE) == Valid()


def test_a_copy_may_have_been_made_at_any_time_before_its_answer(history):
    copy = "0.3s network/0 invoke enable 1001 service=bot\n0.3s network/0 ok enable 1001 {answer}\n"
    twice = ACKNOWLEDGED.replace("new", "already") + copy
    assert verdict(history, twice.format(answer="new")) == Valid()
    assert isinstance(verdict(history, twice.format(answer="already")), Invalid)


def enabled(answer, lane=7, more=""):
    return (
        f"0.5s wire/{lane} invoke enable 1001 service=bot {more}\n"
        f"0.6s wire/{lane} ok enable 1001 {answer}\n"
    )


@pytest.mark.parametrize(
    ("text", "there", "gone"),
    [
        (enabled(503), True, True),
        (enabled(408), True, True),
        (enabled(429), False, True),
        (enabled(422), False, True),
        (enabled('200 {"success": false}'), True, True),
        ("0.5s wire/7 invoke enable 1001 service=bot\n0.6s wire/7 fail enable 1001\n", False, True),
        ("0.5s wire/7 invoke enable 1001 service=bot\n", True, True),
        (enabled("new"), True, False),
    ],
    ids=["503", "408", "429", "422", "no success", "not sent", "never ended", "new"],
)
def test_what_may_be_there_after_an_answer(history, text, there, gone):
    assert isinstance(verdict(history, text + THERE), Valid) is there
    assert isinstance(verdict(history, text + GONE), Valid) is gone


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("0.7s bot invoke close 1001\n0.8s bot ok close 1001\n" + CLOSED, True),
        ("0.7s bot invoke close 1001\n0.8s bot ok close 1001\n" + THERE, False),
        ("0.7s bot invoke close 1001\n0.8s bot fail close 1001 status=404\n" + THERE, False),
        ("0.7s bot invoke close 1001\n0.8s bot fail close 1001 status=503\n" + THERE, True),
        ("0.7s bot invoke close 1001\n0.8s bot info close 1001\n" + THERE, True),
        ("0.7s bot invoke close 1001\n0.8s bot info close 1001\n" + CLOSED, True),
    ],
)
def test_what_may_be_there_after_it_was_asked_to_be_closed(history, text, valid):
    assert isinstance(verdict(history, ACKNOWLEDGED + text), Valid) is valid


def test_what_another_manager_has_may_be_given_up(history):
    told = "0s world ok start main-api\n0.05s broker ok execute 1001\n"
    assert verdict(history, told + ACKNOWLEDGED + CLOSED) == Valid()
    assert isinstance(verdict(history, ACKNOWLEDGED + CLOSED), Invalid)


def test_a_position_that_is_closed_at_the_broker_is_closed(history):
    gone = "0.3s broker ok position-closed 1001\n"
    assert verdict(history, BROKER + ACKNOWLEDGED + gone + CLOSED) == Valid()
    assert isinstance(verdict(history, BROKER + ACKNOWLEDGED + CLOSED), Invalid)
