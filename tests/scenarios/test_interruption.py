"""Ctrl-C in a program of its own, where the interpreter drops what it raises."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal
signal.signal(signal.SIGINT, signal.{before})
from scenarios.interruption import noticing_interrupts

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

with noticing_interrupts() as interrupted:
    assert not interrupted()
    Finalized()
    print(interrupted())
assert signal.getsignal(signal.SIGINT) is signal.{before}
"""


@pytest.mark.parametrize(
    ("before", "noticed"), [("default_int_handler", "True"), ("SIG_IGN", "False")]
)
def test_it_is_noticed_where_it_is_dropped_unless_it_was_ignored(before, noticed) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, noticed), done.stderr
    assert ("Exception ignored" in done.stderr) is (noticed == "True")
