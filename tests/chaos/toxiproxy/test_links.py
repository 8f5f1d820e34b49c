"""Toxics as faults: on a Toxiproxy server's links, and on those of the fault proxy itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from chaos.capabilities import Toxics
from chaos.choice import benign
from chaos.faults import Down, Toxify
from chaos.nemesis import Nemesis
from chaos.proxy import FaultProxy
from chaos.schedule import during
from chaos.toxiproxy.client import ProxyState
from chaos.toxiproxy.links import ToxiproxyLinks
from chaos.toxiproxy.toxics import Latency
from tests.chaos.toxiproxy.conftest import real_toxiproxy
from tests.chaos.toxiproxy.seen import Backend, converse


@pytest.fixture(params=["fault proxy", "toxiproxy"])
async def offered(
    request: pytest.FixtureRequest, backend: Backend
) -> AsyncIterator[tuple[Toxics, int]]:
    """What offers toxics on the link bot->dtms, and the port of that link."""
    if request.param == "fault proxy":
        async with FaultProxy() as proxy:
            yield proxy, await proxy.link("bot->dtms", "127.0.0.1", backend.port)
        return
    async with real_toxiproxy() as server:
        links = ToxiproxyLinks(server.control)
        yield links, await links.link("bot->dtms", "127.0.0.1", backend.port)


def state(port: int) -> ProxyState:
    return ProxyState("bot->dtms", f"127.0.0.1:{port}", "")


async def test_a_toxic_is_in_force_until_it_is_undone(
    offered: tuple[Toxics, int], backend: Backend
) -> None:
    toxics, port = offered
    undo = await Toxify("*->dtms", Latency(300)).inflict(toxics)
    assert 0.3 <= (await converse(state(port), size=200)).first_s < 0.45
    await undo()
    await undo()
    assert (await converse(state(port), size=200)).first_s < 0.15


async def test_several_of_a_kind_add_up(offered: tuple[Toxics, int], backend: Backend) -> None:
    toxics, port = offered
    undos = [await Toxify("*->dtms", Latency(150)).inflict(toxics) for _ in range(2)]
    assert 0.3 <= (await converse(state(port), size=200)).first_s < 0.45
    await undos[0]()
    assert 0.15 <= (await converse(state(port), size=200)).first_s < 0.29
    await undos[1]()


async def test_down_is_down_until_the_last_is_undone(
    offered: tuple[Toxics, int], backend: Backend
) -> None:
    toxics, port = offered
    undo = await Down("bot->dtms").inflict(toxics)
    with pytest.raises(ConnectionRefusedError):
        await converse(state(port))
    await undo()
    assert (await converse(state(port), size=200)).data == backend.answer


async def test_a_link_that_there_is_not(offered: tuple[Toxics, int]) -> None:
    for fault in (Toxify("x->dtms", Latency(1)), Down("x->dtms")):
        with pytest.raises(ValueError, match="no link 'x->dtms'; there are: bot->dtms"):
            await fault.inflict(offered[0])


async def test_a_nemesis_inflicts_it(offered: tuple[Toxics, int], backend: Backend) -> None:
    toxics, port = offered
    told: list[object] = []
    inflicted = asyncio.Event()

    def record(what: str, fault: Mapping[str, object]) -> None:
        told.append((what, fault["fault"]))
        inflicted.set()

    nemesis = Nemesis(
        (during(0.0, 60.0, Toxify("bot->dtms", Latency(300))),),
        {Toxics: toxics},
        world="test",
        draw=benign,
        record=record,
    )
    nemesis.refuse_what_is_not_offered()
    running = asyncio.ensure_future(nemesis.run())
    await asyncio.wait_for(inflicted.wait(), 5)
    async with asyncio.timeout(5):  # it is told before it is done
        while (await converse(state(port), size=200)).first_s < 0.3:
            pass
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await nemesis.heal()
    assert told == [("inflict", "toxify"), ("undo", "toxify")]
    assert (await converse(state(port), size=200)).first_s < 0.15
