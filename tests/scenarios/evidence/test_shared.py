"""Evidence is read once for each history, and stays behind when a history travels."""

import pickle

from scenarios.evidence.shared import once_per_history
from scenarios.history import History


def test_each_history_is_read_once() -> None:
    read = []

    @once_per_history
    def reading(history: History) -> int:
        read.append(history)
        return len(read)

    one, other = History(()), History(())
    assert [reading(one), reading(one), reading(other), reading(one)] == [1, 1, 2, 1]


def test_what_was_read_does_not_travel() -> None:
    history = History(())
    history.remembered["anything"] = lambda: None
    assert pickle.loads(pickle.dumps(history)) == history
