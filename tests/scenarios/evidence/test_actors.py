from __future__ import annotations

import pytest

from scenarios.evidence.actors import Cut, Restorations, cuts, down, ended_by_lab, told

REFUSE = '{"fault": "refuse", "link": "bot->dtms"}'


def test_without_a_start_or_an_undo_a_cut_lasts_to_the_end(history):
    seen = history(
        f"""
        1s world ok start dtms
        2s world ok exited dtms
        3s nemesis ok inflict {REFUSE}
        4s world ok phase settled
        """
    )
    assert cuts(seen, "bot") == (
        Cut(0, 1_000_000),
        Cut(2_000_000, 4_000_000),
        Cut(3_000_000, 4_000_000),
    )


def test_cuts_end_with_the_next_start_and_the_same_faults_undo(history):
    seen = history(
        f"""
        0s world ok start dtms
        2s world ok exited dtms
        3s world ok start dtms
        4s nemesis ok inflict {REFUSE}
        5s nemesis ok undo {{"fault": "latency"}}
        6s nemesis ok undo {REFUSE}
        9s world ok phase settled
        """
    )
    assert cuts(seen, "bot")[1:] == (Cut(2_000_000, 3_000_000), Cut(4_000_000, 6_000_000))
    assert len(cuts(seen, "desktop")) == 2


def test_a_pause_ends_with_the_process_if_nobody_resumes_it(history):
    seen = history(
        """
        0s world ok start dtms
        1s world ok pause dtms
        2s world ok exited dtms
        3s world ok start dtms
        4s world ok pause dtms
        5s world ok resume dtms
        """
    )
    places = sorted(
        (gone.after.time_us, gone.until and gone.until.time_us) for gone in down(seen, "dtms")
    )
    assert places == [(1_000_000, 2_000_000), (2_000_000, 3_000_000), (4_000_000, 5_000_000)]


def test_a_recovery_may_be_unfinished_where_who_is_asked_was_ready_after_the_server(history):
    neighbours = "0s world ok start broker\n 0s world ok start main-api\n"
    late = neighbours + "1s world ok start dtms\n 2s world ok ready main-api"
    early = neighbours + "0.5s world ok ready main-api\n 1s world ok start dtms"
    assert Restorations.of(history(late)).unfinished
    assert not Restorations.of(history(early)).unfinished


CRASH = '1s nemesis ok inflict {"fault": "crash-at", "actor": "dtms"}\n'
TROUBLE = '1s nemesis ok inflict {"fault": "disk-trouble", "actor": "dtms"}\n'
STARTED = "0s world ok start dtms\n"
READY = "0.5s world ok ready dtms\n"


@pytest.mark.parametrize(
    ("before", "status", "by_lab"),
    [
        (STARTED + READY + "1s world ok kill dtms\n", -9, True),
        (STARTED + READY + "1s world ok stop dtms\n", 0, True),
        ("0s world ok kill dtms\n" + STARTED + READY, -9, False),
        (STARTED + READY + CRASH, -9, True),
        (STARTED + READY + CRASH, 1, False),
        (STARTED + READY + CRASH.replace("crash-at", "memory-limit"), -9, True),
        (STARTED + READY + CRASH.replace('"dtms"', '"bot"'), -9, False),
        (STARTED + TROUBLE, 1, True),
        (STARTED + READY + TROUBLE, 1, False),
        (STARTED + READY, 1, False),
        (STARTED, 1, False),
    ],
)
def test_who_ended_an_actor(history, before, status, by_lab):
    seen = history(before + f"2s world ok exited dtms exit_status={status}")
    (exited,) = told(seen, "exited", "dtms")
    assert ended_by_lab(seen, exited, "dtms") is by_lab
