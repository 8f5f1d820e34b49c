"""What simulated processes print, apart from the lab's own words."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO

from simulator.deterministic.process import current_process

KEPT_MAX = 100_000
"""Characters of each actor's that are kept: the first ones."""


class Output:
    """By actor. `caught` while targets run."""

    def __init__(self) -> None:
        self._kept: dict[str, io.StringIO] = {}

    @contextmanager
    def caught(self) -> Iterator[None]:
        """What a simulated process writes inside, to either stream, is kept and not shown."""
        with redirect_stdout(_Stream(self, sys.stdout)), redirect_stderr(_Stream(self, sys.stderr)):
            yield

    def keep(self, actor: str, text: str) -> None:
        kept = self._kept.setdefault(actor, io.StringIO())
        kept.write(text[: max(0, KEPT_MAX - kept.tell())])

    def told(self) -> Mapping[str, str]:
        """What each actor wrote."""
        return {actor: kept.getvalue() for actor, kept in self._kept.items()}


class _Stream(io.TextIOBase):
    def __init__(self, output: Output, real: TextIO) -> None:
        self._output = output
        self._real = real

    def write(self, text: str) -> int:
        process = current_process()
        if process is None:
            return self._real.write(text)
        self._output.keep(process.name, text)
        return len(text)

    def flush(self) -> None:
        self._real.flush()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"
