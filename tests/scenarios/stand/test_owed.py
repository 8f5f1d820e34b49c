"""Which checkers a test's history has something for."""

from __future__ import annotations

import pytest

from scenarios.checkers import CHECKERS
from scenarios.stand.owed import HELPER, RIDES_OUT_S, longest_outage_s, owed
from scenarios.suites import SCENARIOS
from scenarios.verdict import Unknown
from scenarios.worlds.sim.play import Plan, play

REFUSE = '{"fault": "refuse", "link": "client->dtms"}'
PLAYED = (
    "answer-lost-once",
    "refused",
    "register-while-closing",
    "conflicting-payloads",
    "garbage",
)


def test_of_an_empty_history_nothing_is_owed(history) -> None:
    assert owed(history("")) == ()


def test_what_was_only_executed_is_owed_protection(history) -> None:
    seen = history(
        """
        0.1s broker  ok execute 1001
        1.0s world   ok phase healed
        2.0s auditor ok read-all 1001:absent
        """
    )
    assert owed(seen) == ("answers_have_an_order", "unprotected_time_is_bounded")


def test_what_the_client_said_is_judged_though_nobody_saw_it_send(history) -> None:
    seen = history(
        """
        0.1s bot     invoke register 1001
        0.2s bot     fail   register 1001
        1.0s world   ok phase healed
        2.0s auditor ok read-all 1001:absent
        """
    )
    assert "failure_is_honest" in owed(seen)
    assert "acknowledged_is_kept" not in owed(seen)
    assert "retry_discipline" not in owed(seen)


@pytest.mark.parametrize("lasted_s", [RIDES_OUT_S - 0.1, RIDES_OUT_S + 0.1])
def test_after_an_outage_that_nobody_rides_out_protection_is_not_owed(history, lasted_s) -> None:
    seen = history(
        f"""
        0.1s broker  ok execute 1001
        1.0s nemesis ok inflict {REFUSE}
        {1 + lasted_s}s nemesis ok undo {REFUSE}
        9.0s world   ok phase healed
        """
    )
    assert longest_outage_s(seen) == pytest.approx(lasted_s)
    assert ("unprotected_time_is_bounded" in owed(seen)) == (lasted_s <= RIDES_OUT_S)


def test_outages_that_overlap_are_one(history) -> None:
    seen = history(
        f"""
        0s  world   ok start dtms
        1s  nemesis ok inflict {REFUSE}
        3s  world   ok exited dtms
        4s  nemesis ok undo {REFUSE}
        7s  world   ok start dtms
        8s  nemesis ok inflict {REFUSE}
        10s nemesis ok undo {REFUSE}
        11s nemesis ok inflict {REFUSE}
        12s world   ok phase settled
        """
    )
    assert longest_outage_s(seen) == pytest.approx(6.0)


@pytest.mark.parametrize("name", PLAYED)
def test_a_checker_that_is_owed_something_knows_what_to_say(name) -> None:
    for seed in range(3):
        seen = play(Plan(SCENARIOS[name], seed)).history
        names = owed(seen)
        for checker in HELPER:
            is_unknown = isinstance(CHECKERS[checker](seen), Unknown)
            assert is_unknown == (checker not in names), (checker, seed)
