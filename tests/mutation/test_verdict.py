"""What is said of mutants that live, of explanations that are stale, and of trials that broke."""

from pathlib import Path

import pytest

from tests.mutation.mutants import mutants_of
from tests.mutation.subjects import NAMES, Subject
from tests.mutation.trial import Outcome
from tests.mutation.verdict import Equivalent, judged, read_equivalents

ROOT = Path(__file__).parents[2]
LISTED = Path(__file__).with_name("equivalent.toml")
MUTANTS = mutants_of("def late(s):\n    return s > 5\n")
EDGE = Equivalent("late", "late", "return s > 5", "return s >= 5", "Nobody is late by nothing.")
(AT_EDGE,) = (i for i, mutant in enumerate(MUTANTS) if EDGE.is_of(mutant))
ALL_KILLED = dict.fromkeys(range(len(MUTANTS)), Outcome.KILLED)
EDGE_LIVES = ALL_KILLED | {AT_EDGE: Outcome.SURVIVED}


def test_all_killed_is_all_well() -> None:
    verdict = judged("late", MUTANTS, ALL_KILLED, ())
    assert verdict.exit_status == 0
    assert verdict.lines() == ["late: 2 mutants, 2 killed, 0 equivalent, 0 survived"]


def test_one_that_lives_is_shown_and_fails() -> None:
    verdict = judged("late", MUTANTS, EDGE_LIVES, ())
    assert verdict.exit_status == 1
    assert verdict.lines() == [
        "late: 2 mutants, 1 killed, 0 equivalent, 1 survived",
        "  SURVIVED in late (write a test that fails)\n    - return s > 5\n    + return s >= 5",
    ]


def test_one_that_lives_and_is_listed_does_not_fail() -> None:
    verdict = judged("late", MUTANTS, EDGE_LIVES, (EDGE,))
    assert verdict.exit_status == 0
    assert verdict.lines() == ["late: 2 mutants, 1 killed, 1 equivalent, 0 survived"]


def test_one_that_is_listed_and_was_killed_is_stale_and_fails() -> None:
    verdict = judged("late", MUTANTS, ALL_KILLED, (EDGE,))
    assert (verdict.stale, verdict.exit_status) == ((EDGE,), 1)
    assert verdict.lines()[1].startswith("  STALE in late")


def test_one_that_is_listed_and_is_no_more_is_stale_and_fails() -> None:
    gone = Equivalent("late", "late", "return s > 4", "return s >= 4", "It was so once.")
    assert judged("late", MUTANTS, EDGE_LIVES, (EDGE, gone)).stale == (gone,)


def test_what_is_listed_for_another_module_says_nothing() -> None:
    elsewhere = Equivalent("early", EDGE.place, EDGE.was, EDGE.becomes, EDGE.why)
    assert judged("late", MUTANTS, EDGE_LIVES, (elsewhere,)).exit_status == 1
    assert judged("late", MUTANTS, ALL_KILLED, (elsewhere,)).exit_status == 0


def test_one_that_timed_out_is_killed_and_said() -> None:
    verdict = judged("late", MUTANTS, ALL_KILLED | {0: Outcome.TIMED_OUT}, ())
    assert verdict.exit_status == 0
    assert "2 killed (1 of them timed out)" in verdict.lines()[0]


def test_a_trial_that_broke_proves_nothing() -> None:
    verdict = judged("late", MUTANTS, ALL_KILLED | {0: Outcome.ERROR}, (EDGE,))
    assert (verdict.exit_status, len(verdict.errors)) == (5, 1)


def test_an_entry_without_its_reason_is_refused(tmp_path) -> None:
    file = tmp_path / "equivalent.toml"
    file.write_text('[[mutant]]\nmodule = "late"\nplace = ""\nwas = "a"\nbecomes = "b"\n')
    with pytest.raises(ValueError, match="not whole"):
        read_equivalents(file)


def test_what_the_list_explains_is_in_the_code() -> None:
    sources = {name: Subject(name, ROOT).source for name in NAMES}
    for entry in read_equivalents(LISTED):
        assert entry.why
        for line in entry.was.splitlines():
            assert line in sources[entry.module]


@pytest.mark.parametrize("name", NAMES)
def test_every_module_that_is_mutated_has_tests_of_its_own(name) -> None:
    assert Subject(name, ROOT).tests
