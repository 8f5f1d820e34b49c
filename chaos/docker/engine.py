"""The Docker engine: found, or missed in words; asked in threads, and waited for with a bound."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

CALL_S_MAX = 60.0
"""How long the engine may take to answer one call."""
LOOK_S_MAX = 5.0
"""The same while it is only asked whether it is there."""
CALLS_MAX = 64
"""Calls at the same time; a wait for a container's end is one."""
SCHEME = "unix://"
SOCKET = f"{SCHEME}/var/run/docker.sock"

T = TypeVar("T")


class NoEngine(Exception):
    """No engine answers; the message says where it was looked for."""


class EngineFailed(Exception):
    """The engine refused or did not answer: what was asked may have been done."""


class Engine:
    """An engine that answered. `client` is the SDK's, and blocks: use it in `call`."""

    def __init__(self, client: docker.DockerClient) -> None:
        self.client = client
        self._threads = ThreadPoolExecutor(CALLS_MAX, thread_name_prefix="docker")

    @classmethod
    def connect(cls, environ: Mapping[str, str] = os.environ) -> Engine:
        """Where DOCKER_HOST says, or at the usual socket. Blocks for LOOK_S_MAX at most. Raises
        `NoEngine`."""
        found = version(environ)
        if not found:
            raise NoEngine(f"no Docker engine answers at {place(environ)}")
        return cls(_client(environ, CALL_S_MAX))

    async def call(self, work: Callable[[docker.DockerClient], T]) -> T:
        """What `work` returns, run in a thread. Raises `EngineFailed`. Who is cancelled waits no
        longer; what was asked goes on, for CALL_S_MAX at most."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self.ask, work)

    def ask(self, work: Callable[[docker.DockerClient], T]) -> T:
        """The same, blocking."""
        try:
            return work(self.client)
        except (DockerException, RequestException) as error:
            raise EngineFailed(_words(error)) from error

    def close(self) -> None:
        """Waits for what it was asked and has not answered."""
        self._threads.shutdown()
        self.client.close()


def place(environ: Mapping[str, str] = os.environ) -> str:
    """Where the engine is looked for."""
    return environ.get("DOCKER_HOST") or SOCKET


def version(environ: Mapping[str, str] = os.environ) -> str:
    """The version of the engine that answers; empty where none does. Blocks, LOOK_S_MAX at most."""
    if not _listens(place(environ)):
        return ""
    try:
        client = _client(environ, LOOK_S_MAX)
        try:
            return str(client.version()["Version"])
        finally:
            client.close()
    except (DockerException, RequestException, OSError, ValueError):
        return ""


def _listens(where: str) -> bool:
    """False where nobody does, for certain: the SDK would leave a socket open over that."""
    if not where.startswith(SCHEME):
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(LOOK_S_MAX)
        try:
            probe.connect(where.removeprefix(SCHEME))
        except OSError:
            return False
    return True


def _client(environ: Mapping[str, str], timeout_s: float) -> docker.DockerClient:
    return docker.from_env(
        environment=dict(environ), timeout=timeout_s, max_pool_size=CALLS_MAX, version="auto"
    )


def _words(error: Exception) -> str:
    told = getattr(error, "explanation", None)
    return " ".join(str(told or error).split())
