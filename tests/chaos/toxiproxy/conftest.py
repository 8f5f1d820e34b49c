"""Both Toxiproxy servers, by one interface, and a server behind them that can be looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chaos.toxiproxy.binary import WAYS, find
from chaos.toxiproxy.control import Control
from chaos.toxiproxy.embedded import EmbeddedToxiproxy
from chaos.toxiproxy.server import ToxiproxyServer
from tests.chaos.toxiproxy.seen import Backend

Toxiproxy = EmbeddedToxiproxy | ToxiproxyServer


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    server = Backend()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(params=["embedded", "real"])
async def toxiproxy(request: pytest.FixtureRequest) -> AsyncIterator[Toxiproxy]:
    """Each of the two; nothing is skipped where a real one is installed."""
    if request.param == "embedded":
        async with EmbeddedToxiproxy(seed=7) as embedded:
            yield embedded
        return
    async with real_toxiproxy() as real:
        yield real


def real_toxiproxy() -> ToxiproxyServer:
    binary = find()
    if binary is None:
        pytest.skip(f"no Toxiproxy server is installed; get {WAYS}")
    return ToxiproxyServer(binary)


@pytest.fixture
def control(toxiproxy: Toxiproxy) -> Control:
    return toxiproxy.control
