"""Where Python looks for modules: in processes of the lab, and in those of its targets.

The lab's packages have names that a user's project may have as well. The lab's own processes look
into the lab's folder first; a target's processes look where the user's would.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])
"""The folder that holds the lab's packages."""
CHANGED = ("PYTHONPATH", "PYTHONSAFEPATH")
BEFORE = "DTMS_LAB_USERS_PATH"
"""What CHANGED were in the environment that the lab was started in, as JSON."""


def lab_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process of the lab: `python -m` finds the lab's packages in it,
    whatever folder it is started in."""
    if BEFORE in environ:
        return dict(environ)
    users = environ.get("PYTHONPATH")
    return {
        **environ,
        BEFORE: json.dumps([environ.get(name) for name in CHANGED]),
        "PYTHONPATH": os.pathsep.join(filter(None, (ROOT, users))),
        "PYTHONSAFEPATH": "1",
    }


def target_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process of a target: as the user has it."""
    given = {name: value for name, value in environ.items() if name != BEFORE}
    if BEFORE in environ:
        for name, value in zip(CHANGED, json.loads(environ[BEFORE]), strict=True):
            given.pop(name, None)
            if value is not None:
                given[name] = value
    return given


def users_folders(environ: Mapping[str, str]) -> list[str]:
    """What the user's PYTHONPATH names, absolute."""
    named = target_environ(environ).get("PYTHONPATH", "")
    return [str(Path(folder).absolute()) for folder in named.split(os.pathsep) if folder]
