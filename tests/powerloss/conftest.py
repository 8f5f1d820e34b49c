"""What all crashes share: a real file where the database would be, to see if it is set aside."""

from pathlib import Path

import pytest

from core import group_commit
from simulator.store import FILE_NAME


@pytest.fixture(autouse=True)
def outcomes_wait_for_a_put(monkeypatch) -> None:
    """Then it is no matter of time which of them share a transaction."""
    monkeypatch.setattr(group_commit, "LINGER_S", 60.0)


@pytest.fixture
def path(tmp_path) -> Path:
    """The database's name. The disk is in memory; the file here is moved if that is corrupt."""
    path = tmp_path / FILE_NAME
    path.touch()
    return path


@pytest.fixture
def set_aside(path):
    """What was moved out of the way."""
    return lambda: [p.name for p in path.parent.iterdir() if p != path]
