"""A worker plays what it is given, one by one, and tells what came of it."""

from __future__ import annotations

import pytest

from scenarios.case import decode_case
from scenarios.exploration import batch as module
from scenarios.exploration.batch import play_batch, shrink_failure
from scenarios.exploration.fingerprint import fingerprint
from scenarios.exploration.judged import judged
from scenarios.exploration.seedling import Seedling, plan_of
from scenarios.worlds.world import EnvironmentFailed
from scenarios.zoo.planted import NEVER_HALF_OPENS

GOOD = Seedling("registered-again", 1)
BAD = Seedling("flapping", 1, parts=NEVER_HALF_OPENS.name)
IMPOSSIBLE = Seedling("registered-again", 1, client="json:dumps", server="simulated")


def test_good_and_bad_are_told_apart() -> None:
    result = play_batch([GOOD, BAD, GOOD])
    assert result.episodes == 3
    assert [failure.seedling for failure in result.failures] == [BAD]


def test_a_failure_tells_checker_kind_and_reason() -> None:
    (failure,) = play_batch([BAD]).failures
    assert failure.checker == "unprotected_time_is_bounded"
    assert failure.kind == "liveness"
    assert "was never protected" in failure.why


def test_fingerprints_are_those_of_the_histories_in_order() -> None:
    other = Seedling("answer-lost-once", 1)
    expected = [fingerprint(judged(plan_of(one)).played.history) for one in (GOOD, other)]
    assert play_batch([GOOD, other]).fingerprints == expected


def test_what_cannot_be_played_is_told_and_harms_nobody() -> None:
    result = play_batch([IMPOSSIBLE, GOOD])
    assert result.episodes == 1
    assert result.fingerprints[0] == ""
    ((seedling, why),) = result.environment
    assert seedling == IMPOSSIBLE
    assert why.startswith("EnvironmentFailed: ")


def test_an_episode_without_a_verdict_is_counted(monkeypatch) -> None:
    first = judged(plan_of(GOOD))

    class Doubtful:
        played, broken, verdict = first.played, (), type("V", (), {"why": "nothing to check"})

    monkeypatch.setattr(module, "judged", lambda _plan: Doubtful)
    assert play_batch([GOOD]).unknown == 1


def test_time_is_counted() -> None:
    result = play_batch([GOOD])
    assert result.simulated_s > 0
    assert result.cpu_s > 0


def test_a_failure_made_small_is_a_case_with_its_words() -> None:
    (failure,) = play_batch([BAD]).failures
    small = shrink_failure(failure)
    case = decode_case(small.case)
    assert case.verdict[failure.checker] == "invalid"
    assert small.told.startswith(f"INVALID {failure.checker}: ")
    assert small.size["trades"] <= 3
    assert small.plays > 0


def test_trouble_with_the_environment_while_a_failure_is_made_small_is_raised() -> None:
    (failure,) = play_batch([BAD]).failures
    gone = module.Failure(IMPOSSIBLE, failure.checker, failure.kind, failure.why)
    with pytest.raises(EnvironmentFailed):
        shrink_failure(gone)
