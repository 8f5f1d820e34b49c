"""A process that outlives the lab by a moment: when its owner is dead, it removes what that made.

`python -m chaos.docker.reaper RUN OWNER`, the owner as in the label. It ends by itself then; a lab
that has tidied up ends it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from select import select

from chaos.docker.owner import Owner

LOOK_EVERY_S = 0.2
LOOKS_MAX = 20
QUIET_LOOKS = 3
"""So often nothing is found before it is believed: the engine may be about to make something that
the dead had asked for."""


def start(run: str, owner: Owner, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """The reaper for a run. In a session of its own, so that what ends the lab does not end it."""
    return subprocess.Popen(
        [sys.executable, "-m", "chaos.docker.reaper", run, owner.label],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=dict(environ),
    )


def main() -> int:
    """Exit status 0 when all is gone, 1 where the engine was not there or something stayed."""
    run, owner = sys.argv[1], Owner.read(sys.argv[2])
    assert owner is not None
    _until_dead(owner)
    # Only now: until then it is to cost next to nothing.
    from chaos.docker.engine import Engine, EngineFailed, NoEngine
    from chaos.docker.left_behind import remove_run

    quiet = 0
    try:
        engine = Engine.connect(os.environ)
        for _look in range(LOOKS_MAX):
            found = engine.ask(lambda client: remove_run(client, run))
            quiet = 0 if found else quiet + 1
            if quiet == QUIET_LOOKS:
                return 0
            select([], [], [], LOOK_EVERY_S)
    except (EngineFailed, NoEngine):
        return 1
    return 1


def _until_dead(owner: Owner) -> None:
    """Returns when it is. Between opening and asking nobody can have taken its place."""
    try:
        process = os.pidfd_open(owner.pid)
    except ProcessLookupError:
        return
    try:
        if not owner.dead:
            select([process], [], [])
    finally:
        os.close(process)


if __name__ == "__main__":
    sys.exit(main())
