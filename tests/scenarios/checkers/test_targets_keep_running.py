"""Checker: targets keep running."""

import pytest

from scenarios.checkers.targets_keep_running import targets_keep_running
from scenarios.verdict import Invalid, Unknown, Valid

GOOD = """
    0.0s world   ok     start dtms
    0.1s world   ok     start bot
    0.2s world   ok     ready dtms
    0.3s bot/0   invoke register 1001
    0.4s world   ok     kill dtms
    0.4s world   ok     exited dtms exit_status=-9
    0.5s world   ok     start dtms
    0.6s bot/0   ok     register 1001
    0.7s world   ok     stop bot
    0.8s world   ok     exited bot exit_status=0
"""


def test_who_ends_by_the_labs_hand_is_no_finding(history) -> None:
    assert targets_keep_running(history(GOOD)) == Valid()


def test_the_labs_own_and_a_second_instance_may_end(history) -> None:
    told = (
        GOOD
        + """
    0.9s world   ok     start broker
    0.9s world   ok     exited broker exit_status=1
    0.9s world   ok     start dtms-second
    0.9s world   ok     exited dtms-second exit_status=3
    """
    )
    assert targets_keep_running(history(told)) == Valid()


def test_nothing_is_known_of_nobody(history) -> None:
    assert isinstance(targets_keep_running(history("0.0s world ok start broker")), Unknown)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("1.0s world ok exited dtms exit_status=1", "dtms ended by itself with status 1"),
        ('1.0s world ok exited {"actor": "bot", "exit_status": 3, "words": "no more"}',
         "bot ended by itself with status 3: no more"),
        ('1.0s world ok not-ready {"actor": "dtms", "words": "locked"}',
         "dtms was started again after healing and did not get ready: locked"),
    ],
)  # fmt: skip
def test_who_ends_or_stays_away_is_one(history, line, why) -> None:
    told = history(GOOD.replace("0.7s world   ok     stop bot\n", "").split("    0.8s")[0] + line)
    verdict = targets_keep_running(told)
    assert verdict == Invalid(why, (len(told.ops) - 1,))


def test_rubbish_is_one_only_where_an_answer_is_missing(history) -> None:
    rubbish = """
    0.0s world   ok     start bot
    0.3s bot/0   invoke register 1001
    0.4s world   ok     rubbish {"actor": "bot", "words": "'hello'"}
    """
    answered = history(rubbish + "0.5s bot/0 ok register 1001")
    assert targets_keep_running(answered) == Valid()
    hung = history(
        "0.0s world ok start bot\n0.3s bot/0 invoke register 1001\n"
        "185.3s bot/0 info register 1001 ! no answer in 185 s"
    )
    assert targets_keep_running(hung) == Valid()
    missing = history(rubbish + "185.3s bot/0 info register 1001 ! no answer in 185 s")
    assert targets_keep_running(missing) == Invalid(
        "bot printed what is no answer: 'hello'", (3, 2)
    )


def test_what_happens_when_all_is_over_does_not_count(history) -> None:
    told = (
        GOOD
        + """
    0.9s world   ok     phase end
    0.9s world   ok     exited dtms exit_status=1
    """
    )
    assert targets_keep_running(history(told)) == Valid()
