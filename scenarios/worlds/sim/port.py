"""The port of a fault proxy's link on a simulated network."""

from __future__ import annotations

import asyncio
import errno

from chaos.proxy.port import Accept
from simulator.deterministic.network import Network


class SimPort:
    """A `chaos.proxy.Port`; listened on in the lab's context, it is one that nothing kills."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._number = 0
        self._server: asyncio.AbstractServer | None = None

    def reserve(self, host: str, number: int) -> int:
        """See `Port`. Ports that the network hands out are handed out once."""
        if number and self._network.is_listening(number):
            raise OSError(errno.EADDRINUSE, f"port {number} of {host} is taken")
        self._number = number or self._network.free_port()
        return self._number

    async def listen(self, accept: Accept) -> None:
        """See `Port`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(accept, "127.0.0.1", self._number)

    def close(self) -> None:
        """See `Port`."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def release(self) -> None:
        """See `Port`."""
        self.close()
