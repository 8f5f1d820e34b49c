"""What toxics make of a flow, without any network."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.conditions import CALM, FREE, Flow
from chaos.proxy.pipe import halved
from chaos.toxiproxy.named_toxic import NamedToxic
from chaos.toxiproxy.poison import Poison
from chaos.toxiproxy.toxics import (
    TYPES,
    Bandwidth,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
    attributes_of,
    type_of,
)


@pytest.mark.parametrize(
    ("toxic", "flow"),
    [
        (Latency(300, 100), Flow(delay_s=0.2, jitter_s=0.2)),
        (Bandwidth(5), Flow(bytes_per_s=5000)),
        (Bandwidth(0), Flow(stalled=True)),
        (SlowClose(400), Flow(linger_s=0.4)),
        (Timeout(0), Flow(swallows=True)),
        (Timeout(100), Flow(swallows=True, hang_up_s=0.1)),
        (ResetPeer(100), Flow(swallows=True, reset_s=0.1)),
        (Slicer(64, 8, 1000), Flow(slice_bytes=64, slice_vary_bytes=8, slice_gap_s=0.001)),
        (LimitData(9), Flow(limit_bytes=9)),
    ],
)
def test_a_toxic_worsens_a_flow(toxic, flow: Flow) -> None:
    assert toxic.worsen(FREE) == flow
    assert Poison(toxic).shape(CALM).down == flow
    assert Poison(toxic).shape(CALM).up == FREE
    assert Poison(toxic, "upstream").shape(CALM).up == flow


def test_there_are_the_seven_of_toxiproxy() -> None:
    assert sorted(TYPES) == [
        "bandwidth", "latency", "limit_data", "reset_peer", "slicer", "slow_close", "timeout"
    ]  # fmt: skip
    assert type_of(SlowClose(3)) == "slow_close"
    assert attributes_of(Slicer(9, 2)) == {"average_size": 9, "size_variation": 2, "delay": 0}


def test_a_misspelt_attribute_is_refused_where_a_fault_is_read() -> None:
    with pytest.raises(msgspec.ValidationError, match="latncy"):
        msgspec.convert({"type": "latency", "latncy": 5}, Latency)


def test_toxiproxy_ignores_a_misspelt_attribute_and_so_does_its_api() -> None:
    assert NamedToxic.of("n", "latency", "downstream", 1.0, {"latncy": 5}).attributes == {
        "latency": 0,
        "jitter": 0,
    }


@given(st.integers(1, 5000), st.integers(1, 300), st.data())
def test_what_is_halved_is_whole_and_its_pieces_are_small(
    size: int, average: int, data: st.DataObject
) -> None:
    variation = data.draw(st.integers(0, average - 1))
    ends = halved(size, average, variation, Random(size).random)
    pieces = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    assert ends[-1] == size
    assert all(1 <= piece <= average + variation for piece in pieces)


def test_without_variation_pieces_are_equal_halves() -> None:
    assert halved(1000, 300, 0, Random(1).random) == [250, 500, 750, 1000]
    assert halved(200, 300, 0, Random(1).random) == [200]
