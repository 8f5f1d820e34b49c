"""What a run that was stopped may believe."""

from tests.mutation.journal import Journal
from tests.mutation.trial import Outcome


def kept(path, inputs: str) -> dict[int, Outcome]:
    with Journal(path, inputs) as journal:
        return dict(journal.outcomes)


def test_what_was_found_is_known_next_time_but_not_what_broke(tmp_path) -> None:
    path = tmp_path / "journals" / "late.jsonl"
    with Journal(path, "a") as journal:
        journal.add(3, Outcome.KILLED)
        journal.add(1, Outcome.SURVIVED)
        journal.add(2, Outcome.ERROR)
        assert journal.outcomes[2] is Outcome.ERROR
    assert kept(path, "a") == {3: Outcome.KILLED, 1: Outcome.SURVIVED}
    assert kept(path, "a") == {3: Outcome.KILLED, 1: Outcome.SURVIVED}


def test_nothing_is_known_once_something_was_changed(tmp_path) -> None:
    path = tmp_path / "late.jsonl"
    with Journal(path, "a") as journal:
        journal.add(3, Outcome.KILLED)
    assert kept(path, "b") == {}
    assert kept(path, "a") == {}


def test_a_line_that_is_cut_off_is_not_believed(tmp_path) -> None:
    path = tmp_path / "late.jsonl"
    with Journal(path, "a") as journal:
        journal.add(0, Outcome.KILLED)
        journal.add(1, Outcome.KILLED)
    path.write_text(path.read_text()[:-9])
    assert kept(path, "a") == {0: Outcome.KILLED}
    path.write_text("")
    assert kept(path, "a") == {}
