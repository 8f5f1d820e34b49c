"""`dtms-lab`, and `python -m dtms_lab`, wherever it is started and whatever PYTHONPATH says.

A user's project may have a package `core` of its own, and the lab must find its own all the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(before: Sequence[str] = ()) -> None:
    """The console entry point. `before` are words that stand before those of the caller."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from loadtests.cli import main as command
    from scenarios.import_path import lab_environ

    # Workers, and whatever else of the lab's is started, inherit it.
    os.environ.update(lab_environ(os.environ))
    command(before)


if __name__ == "__main__":
    main()
