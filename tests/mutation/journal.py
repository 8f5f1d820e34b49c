"""What came of each mutant of one subject so far, so that a run that was stopped can go on.

JSON lines: first the digest of what the outcomes depend on, then one line for each mutant. Where
the digest is another, or a line is cut off, nothing from there on is believed.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.mutation.trial import Outcome


class Journal:
    """`outcomes` by the mutant's index; open for writing while it is entered."""

    def __init__(self, path: Path, inputs: str) -> None:
        self.outcomes = _read(path, inputs)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")
        self._write({"inputs": inputs})
        for index, outcome in self.outcomes.items():
            self._write({"index": index, "outcome": outcome})

    def add(self, index: int, outcome: Outcome) -> None:
        """Keeps what is certain; a trial that went wrong is made again next time."""
        self.outcomes[index] = outcome
        if outcome is not Outcome.ERROR:
            self._write({"index": index, "outcome": outcome})

    def _write(self, line: dict[str, object]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


def _read(path: Path, inputs: str) -> dict[int, Outcome]:
    outcomes: dict[int, Outcome] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        if not lines or json.loads(lines[0]) != {"inputs": inputs}:
            return {}
        for line in lines[1:]:
            entry = json.loads(line)
            outcomes[entry["index"]] = Outcome(entry["outcome"])
    except FileNotFoundError:
        return {}
    except ValueError:
        return outcomes
    return outcomes
