"""Ports for servers that are started, killed and started again on the same port."""

from __future__ import annotations

import socket
from random import Random

from scenarios.worlds.world import EnvironmentFailed

FIRST, LAST = 20_000, 32_000
"""Below the range that the kernel gives to outgoing connections, so that none of them can sit on
a port while its server is down."""
TRIES_MAX = 200


class Ports:
    """Hands out loopback ports that nobody listens on, each to one holder at a time."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._held: set[int] = set()

    def take(self) -> int:
        """A free port. Raises `EnvironmentFailed` when none was found in TRIES_MAX tries."""
        for _try in range(TRIES_MAX):
            port = self._random.randrange(FIRST, LAST)
            if port not in self._held and _is_free(port):
                self._held.add(port)
                return port
        raise EnvironmentFailed(f"no free port between {FIRST} and {LAST} on 127.0.0.1")

    def release(self, port: int) -> None:
        """Gives a port back."""
        self._held.discard(port)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
