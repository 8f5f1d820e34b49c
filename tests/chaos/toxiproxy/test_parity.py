"""Every toxic through the real server and through the embedded one: what a client sees agrees.

Times within 0.12 s, throughput within a quarter, the kind of ending exactly.
"""

from __future__ import annotations

import asyncio

import pytest

from chaos.toxiproxy.control import Control
from chaos.toxiproxy.named_toxic import NamedToxic
from tests.chaos.toxiproxy.seen import Backend, converse, laid, talk

SLACK_S = 0.12
KB = 1000


def toxic(type_: str, stream: str = "downstream", **attributes: int) -> NamedToxic:
    return NamedToxic.of("it", type_, stream, 1.0, attributes)


async def test_without_toxics_it_passes_everything_on(control: Control, backend: Backend) -> None:
    seen = await converse(await laid(control, backend), size=200)
    assert seen.data == backend.answer
    assert seen.first_s < SLACK_S
    assert backend.heard == b"hello\n"


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
async def test_latency(control: Control, backend: Backend, stream: str) -> None:
    state = await laid(control, backend)
    await control.add_toxic("p", toxic("latency", stream, latency=300))
    seen = await converse(state, size=200)
    assert 0.3 <= seen.first_s < 0.3 + SLACK_S, seen


async def test_latency_with_jitter_is_within_it(control: Control, backend: Backend) -> None:
    state = await laid(control, backend)
    await control.add_toxic("p", toxic("latency", latency=150, jitter=100))
    times = [(await converse(state, size=200)).first_s for _ in range(12)]
    assert all(0.05 <= time_s < 0.25 + SLACK_S for time_s in times), times
    assert max(times) - min(times) > 0.02, times


async def test_bandwidth(control: Control, backend: Backend) -> None:
    state = await laid(control, backend)
    backend.answer = b"x" * (60 * KB)
    await control.add_toxic("p", toxic("bandwidth", rate=100))
    seen = await converse(state, size=60 * KB, for_s=5)
    assert 0.45 <= seen.last_s < 0.75, seen


async def test_a_bandwidth_of_0_lets_nothing_through(control: Control, backend: Backend) -> None:
    state = await laid(control, backend)
    await control.add_toxic("p", toxic("bandwidth", rate=0))
    seen = await converse(state, for_s=0.4)
    assert (seen.data, seen.how) == (b"", "open"), seen


async def test_slow_close(control: Control, backend: Backend) -> None:
    state = await laid(control, backend)
    backend.closes = True
    await control.add_toxic("p", toxic("slow_close", delay=400))
    seen = await converse(state, for_s=3)
    assert seen.data == backend.answer
    assert seen.first_s < SLACK_S, seen
    assert 0.4 <= seen.ended_s < 0.4 + SLACK_S, seen
    assert seen.how == "closed"


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
async def test_timeout(control: Control, backend: Backend, stream: str) -> None:
    state = await laid(control, backend)
    await control.add_toxic("p", toxic("timeout", stream, timeout=300))
    seen = await converse(state, for_s=3)
    assert (seen.data, seen.how) == (b"", "closed"), seen
    assert 0.3 <= seen.ended_s < 0.3 + 2 * SLACK_S, seen
    assert bool(backend.heard) == (stream == "downstream")


async def test_a_timeout_of_0_never_closes_until_it_is_lifted(
    control: Control, backend: Backend
) -> None:
    state = await laid(control, backend)
    await control.add_toxic("p", toxic("timeout", timeout=0))
    conversing = asyncio.ensure_future(converse(state, for_s=3))
    await asyncio.sleep(0.3)
    assert not conversing.done()
    await control.remove_toxic("p", "it")
    seen = await conversing
    assert (seen.data, seen.how) == (b"", "closed"), seen
    assert 0.3 <= seen.ended_s < 0.3 + 2 * SLACK_S, seen


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
async def test_reset_peer(control: Control, backend: Backend, stream: str) -> None:
    state = await laid(control, backend)
    await control.add_toxic("p", toxic("reset_peer", stream, timeout=200))
    seen = await converse(state, for_s=3)
    assert (seen.data, seen.how) == (b"", "reset"), seen
    assert 0.2 <= seen.ended_s < 0.2 + SLACK_S, seen


async def test_slicer(control: Control, backend: Backend) -> None:
    state = await laid(control, backend)
    await control.add_toxic("p", toxic("slicer", average_size=30, delay=20_000))
    seen = await converse(state, size=200, for_s=3)
    assert seen.data == backend.answer
    assert seen.pieces == [25] * 8, seen.pieces
    assert 0.13 <= seen.last_s < 0.14 + 2 * SLACK_S, seen


async def test_slicer_with_variation(control: Control, backend: Backend) -> None:
    state = await laid(control, backend)
    backend.answer = b"0123456789" * 40
    await control.add_toxic("p", toxic("slicer", average_size=40, size_variation=15, delay=10_000))
    seen = await converse(state, size=400, for_s=3)
    assert seen.data == backend.answer
    assert all(1 <= piece <= 55 for piece in seen.pieces), seen.pieces
    assert len(set(seen.pieces)) > 1


async def test_limit_data(control: Control, backend: Backend) -> None:
    state = await laid(control, backend)
    await control.add_toxic("p", toxic("limit_data", bytes=120))
    seen = await converse(state)
    assert (seen.data, seen.how) == (backend.answer[:120], "closed"), seen


async def test_toxics_in_both_directions_add_up(control: Control, backend: Backend) -> None:
    state = await laid(control, backend)
    for stream in ("upstream", "downstream"):
        await control.add_toxic(
            "p", NamedToxic.of(stream, "latency", stream, 1.0, {"latency": 150})
        )
    seen = await converse(state, size=200)
    assert 0.3 <= seen.first_s < 0.3 + SLACK_S, seen


async def test_a_toxicity_of_0_hits_nobody_and_a_half_some(
    control: Control, backend: Backend
) -> None:
    state = await laid(control, backend)
    never = NamedToxic.of("never", "timeout", "downstream", 0.0, {})
    await control.add_toxic("p", never)
    assert (await converse(state, size=200)).data == backend.answer
    half = NamedToxic.of("half", "latency", "downstream", 0.5, {"latency": 200})
    await control.add_toxic("p", half)
    times = [
        seen.first_s
        for seen in await asyncio.gather(*(converse(state, size=200) for _ in range(40)))
    ]
    assert 8 <= sum(time_s > 0.19 for time_s in times) <= 32, times


async def test_a_toxic_can_be_changed_and_lifted_on_an_open_connection(
    control: Control, backend: Backend
) -> None:
    state = await laid(control, backend)
    host, _, port = state.listen.rpartition(":")
    source, sink = await asyncio.open_connection(host, int(port))
    await control.add_toxic("p", toxic("latency", latency=200))
    assert 0.2 <= (await talk(source, sink, size=200)).first_s < 0.2 + SLACK_S
    await control.change_toxic("p", toxic("latency", latency=400))
    assert 0.4 <= (await talk(source, sink, size=200)).first_s < 0.4 + SLACK_S
    await control.remove_toxic("p", "it")
    assert (await talk(source, sink, size=200)).first_s < SLACK_S
    sink.close()


async def test_down_refuses_new_connections_and_ends_open_ones(
    control: Control, backend: Backend
) -> None:
    state = await laid(control, backend)
    host, _, port = state.listen.rpartition(":")
    source, sink = await asyncio.open_connection(host, int(port))
    await talk(source, sink, size=200)
    await control.disable("p")
    assert await source.read() == b""
    sink.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))
    await control.enable("p")
    assert (await converse(state, size=200)).data == backend.answer


async def test_behind_a_dead_server_it_accepts_and_closes(
    control: Control, backend: Backend
) -> None:
    state = await laid(control, backend)
    await backend.stop()
    seen = await converse(state)
    assert (seen.data, seen.how in ("closed", "reset")) == (b"", True), seen
