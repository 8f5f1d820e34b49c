"""How a program of the lab's own is started: from the lab's packages, wherever that is done.

`python -m` takes the current folder first, and PYTHONPATH before what is installed. Projects under
test have folders called `core` or `simulator` too.
"""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGES = Path(__file__).resolve().parents[2]
"""The folder that holds the lab's packages."""
_RUN = (
    "import runpy, sys; sys.path.insert(0, sys.argv[1]); module = sys.argv[2]; "
    "del sys.argv[1:3]; runpy.run_module(module, run_name='__main__', alter_sys=True)"
)


def own_program(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module of the lab as `python -m` would."""
    return (sys.executable, "-P", "-c", _RUN, str(PACKAGES), module, *arguments)
