from __future__ import annotations

import pytest

from scenarios.checkers.answers_have_an_order import answers_have_an_order
from scenarios.verdict import Invalid, Unknown, Valid

NEW = "0.1s wire/0 invoke enable 1001 service=bot\n0.2s wire/0 ok enable 1001 new\n"
ALREADY = NEW.replace("new", "already")
LOST = "0.1s wire/0 invoke enable 1001 service=bot\n0.2s wire/0 info enable 1001 ! lost\n"
THERE, GONE = "9s auditor ok read-all 1001\n", "9s auditor ok read-all 1001:absent\n"


def looked_up(answer, lane=5):
    return (
        f"1s wire/{lane} invoke lookup 1001 service=bot\n1s wire/{lane} ok lookup 1001 {answer}\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        NEW + THERE,
        LOST + THERE,
        LOST + GONE,
        LOST + looked_up(404) + looked_up("already") + THERE,
        NEW + ALREADY.replace("bot", "desktop") + THERE,
        "0.05s desktop invoke close 1001\n" + NEW + GONE,
        "0s world ok start broker\n0s broker ok execute 1001\n" + ALREADY + THERE,
        NEW.replace("ok enable 1001 new", "ok enable 1001 200 fault=answer-for") + GONE,
    ],
    ids=[
        "kept",
        "lost and done",
        "lost and not done",
        "lost and done late",
        "two services",
        "closed and cleaned up by now",
        "adopted from the broker",
        "a fault answered in its place",
    ],
)
def test_what_can_have_been_answered_one_by_one_is_valid(history, text):
    assert answers_have_an_order(history(text)) == Valid()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (NEW + GONE, "operation 3 has ended: lookup -> absent"),
        (NEW + looked_up(404) + THERE, "operation 4 has ended: lookup -> absent"),
        (
            ALREADY + THERE,
            "operation 2 has ended: enable XAUUSD BUY 0.1 at 2350",
        ),
        (NEW + NEW.replace("bot", "desktop"), "operation 4 has ended: enable XAUUSD BUY 0.1"),
        (LOST + looked_up("already") + looked_up(404), "operation 6 has ended: lookup -> absent"),
        (NEW + "9s auditor ok read-all 1001:volume=9\n", "operation 3 has ended: lookup -> XAUUSD"),
    ],
    ids=["lost", "denied", "never new", "new twice", "forgotten", "changed"],
)
def test_what_no_order_explains_is_invalid(history, text, why):
    verdict = answers_have_an_order(history(text))
    assert isinstance(verdict, Invalid)
    assert verdict.why.startswith(f"1001 has no order once {why}")
    assert verdict.tickets == (1001,)


def test_without_answers_there_is_nothing_to_say(history):
    assert isinstance(answers_have_an_order(history("0.1s world ok start dtms\n")), Unknown)
    assert isinstance(answers_have_an_order(history(LOST)), Unknown)


def test_a_ticket_that_all_is_about_is_judged_in_time(history):
    text = NEW + looked_up("already") * 2_000 + LOST * 200 + ALREADY * 2_000
    assert answers_have_an_order(history(text)) == Valid()
