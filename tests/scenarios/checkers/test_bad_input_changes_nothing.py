from __future__ import annotations

import pytest

from scenarios.checkers.bad_input_changes_nothing import bad_input_changes_nothing
from scenarios.verdict import Unknown, Valid


def bad(answer, case="nan-entry"):
    value = f'{{"case": "{case}", "ticket": 900001, "expected": [400, 422]}}'
    return f"1s auditor/0 invoke bad-input {value}\n1.1s auditor/0 {answer}\n"


REFUSED = 'ok bad-input {"status": 422}'
ABSENT = "9s auditor ok read-all 900001:absent"
GOOD = "2s bot/0 invoke register 1001\n 3s bot/0 ok register 1001\n"
PENDING = "2s bot/0 invoke register 1001\n 3s bot/0 info register 1001\n"
REJECTED = "2s bot/0 invoke register 1001\n 3s bot/0 fail register 1001\n"


@pytest.mark.parametrize(
    "text",
    [
        bad(REFUSED) + ABSENT,
        bad('ok bad-input {"status": 400}') + GOOD + ABSENT,
        # A caller that was not told in time is registered in the end.
        bad(REFUSED) + PENDING + "9s auditor ok read-all 900001:absent 1001",
        # A server that is killed, or told to stop, did not end of bad input.
        bad(REFUSED) + "2s world ok kill dtms\n 2s world ok exited dtms\n" + ABSENT,
        '1s nemesis ok inflict {"fault": "server-fault", "actor": "dtms"}\n'
        + bad(REFUSED)
        + "2s world ok exited dtms exit_status=-9\n"
        + ABSENT,
        bad(REFUSED) + ABSENT + "\n9s world ok phase end\n 9.1s world ok exited dtms",
        "0s world ok exited dtms\n 0.5s world ok start dtms\n" + bad(REFUSED) + ABSENT,
        # Before bad input anything may fail.
        "0.1s bot/0 invoke register 1001\n 0.2s bot/0 fail register 1001\n" + bad(REFUSED) + ABSENT,
        bad(REFUSED) + REJECTED + GOOD.replace("bot", "desktop") + ABSENT,
    ],
)
def test_refused_absent_and_harmless_is_valid(history, text):
    assert bad_input_changes_nothing(history(text)) == Valid()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            bad('ok bad-input {"status": 200}') + ABSENT,
            "bad input nan-entry was answered 200, not 400 or 422",
        ),
        (
            bad('ok bad-input {"status": 500}') + ABSENT,
            "bad input nan-entry was answered 500, not 400 or 422",
        ),
        (bad(REFUSED) + "9s auditor ok read-all 900001", "bad input registered 900001"),
        (bad(REFUSED) + "9s auditor ok read-all 900001:CLOSED", "bad input registered 900001"),
        (
            bad("info bad-input") + "1.2s world ok exited dtms\n" + ABSENT,
            "the server ended after bad input nan-entry",
        ),
        (
            "0s world ok kill dtms\n 0.1s world ok exited dtms\n 0.2s world ok start dtms\n"
            + bad(REFUSED)
            + "1.2s world ok exited dtms\n"
            + ABSENT,
            "the server ended after bad input nan-entry",
        ),
        (
            bad(REFUSED) + REJECTED + ABSENT,
            "after bad input none of 1 good registrations succeeded",
        ),
        (
            bad(REFUSED) + PENDING + "9s auditor ok read-all 900001:absent 1001:absent",
            "after bad input none of 1 good registrations succeeded",
        ),
    ],
)
def test_let_through_or_harmful_is_invalid(history, text, why):
    assert bad_input_changes_nothing(history(text)).why == why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no bad input was sent"),
        (bad("info bad-input") + ABSENT, "bad input nan-entry got no answer"),
        (bad(REFUSED), "whether bad input registered 900001 was not read"),
        (
            bad(REFUSED).replace("[400, 422]", "null") + ABSENT,
            "what bad input nan-entry should be answered was not recorded",
        ),
    ],
)
def test_what_was_not_answered_or_read_is_unknown(history, text, why):
    assert bad_input_changes_nothing(history(text)) == Unknown(why)
