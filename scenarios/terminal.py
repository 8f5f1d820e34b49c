"""What a person reads: a console that outlives whoever read it."""

from __future__ import annotations

import os
import sys

from rich.console import Console


class Terminal(Console):
    """Once nobody reads any more, as after `| head -1`, nothing is printed. Work that goes on is
    interrupted then as by Ctrl-C, so that it keeps what it has; what is about to end just ends."""

    def __init__(self, *, working: bool = False, soft_wrap: bool = False) -> None:
        super().__init__(soft_wrap=soft_wrap, emoji=False)
        self._working = working

    def on_broken_pipe(self) -> None:
        self.quiet = True
        # So that the interpreter does not meet the broken pipe again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if self._working:
            raise KeyboardInterrupt
