"""What one run keeps of the engine: an image, and the promise that nothing stays behind."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chaos.docker import reaper
from chaos.docker.engine import Engine, EngineFailed, NoEngine, place
from chaos.docker.left_behind import remove_orphans, remove_run
from chaos.docker.owner import Owner
from scenarios.import_path import lab_environ
from scenarios.worlds.docker.image import lab_image
from scenarios.worlds.world import EnvironmentFailed

HOW_TO_GET_ONE = (
    "install Docker (on Debian: apt-get install docker.io iptables) and start it, or point "
    "DOCKER_HOST to its socket; in a clone, `.ci/engine COMMAND` runs a command with one of its own"
)


@dataclass(frozen=True, slots=True)
class Session:
    """`run` and `owner` stand on all that is made."""

    engine: Engine
    image: str
    run: str
    owner: Owner


@asynccontextmanager
async def open_session() -> AsyncIterator[Session]:
    """Builds the image, and removes what dead labs left. On leaving, all that was made in it is
    gone; if this process is killed, a reaper sees to that. Raises `EnvironmentFailed`."""
    engine = connect()
    run, owner = secrets.token_hex(6), Owner.this_process()
    reaping = reaper.start(run, owner, lab_environ(os.environ))
    try:
        await engine.call(remove_orphans)
        yield Session(engine, await engine.call(lab_image), run, owner)
    except EngineFailed as error:
        raise EnvironmentFailed(f"the Docker engine: {error}") from error
    finally:
        try:
            # Blocking: who is being cancelled is to tidy up all the same.
            engine.ask(lambda client: remove_run(client, run))
        except EngineFailed as error:
            # The reaper tries once more when this process has ended.
            raise EnvironmentFailed(f"the Docker engine removes nothing: {error}") from error
        else:
            reaping.kill()
            reaping.wait()
        finally:
            engine.close()


def connect() -> Engine:
    """The engine of this machine. Raises `EnvironmentFailed`, and says how to get one."""
    if sys.platform != "linux":
        raise EnvironmentFailed("the world docker is for Linux: it shares files and processes")
    if not place().startswith("unix://"):
        raise EnvironmentFailed(
            f"the world docker needs an engine on this machine, and DOCKER_HOST is {place()}"
        )
    try:
        return Engine.connect()
    except NoEngine as error:
        raise EnvironmentFailed(f"the world docker: {error}; {HOW_TO_GET_ONE}") from error
