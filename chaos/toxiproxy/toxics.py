"""The toxics of Toxiproxy 2.12, as values that were checked before any server hears of them.

Fields have Toxiproxy's own names and units. `worsen` says what a toxic makes of the flow that it
is in, for whoever carries the bytes without a Toxiproxy server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal, get_args

import msgspec

from chaos.conditions import Flow, least
from chaos.refusal import refuse_unless

Stream = Literal["upstream", "downstream"]
"""`upstream` is towards the server, `downstream` back to the client."""

MS_MAX: Final = 24 * 3600 * 1000
"""Longer waits are refused; the server would overflow long after that."""
BYTES_MAX: Final = 2**53
KB: Final = 1000


class OfToxiproxy(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """What all of them are: in a file, an object with its `type` and nothing misspelt."""


class Latency(OfToxiproxy, frozen=True, tag="latency"):
    """Bytes come `latency` ms late, give or take up to `jitter` ms."""

    latency: int = 0
    jitter: int = 0

    def __post_init__(self) -> None:
        _within("latency", self.latency, MS_MAX)
        _within("jitter", self.jitter, MS_MAX)

    def worsen(self, flow: Flow) -> Flow:
        return replace(
            flow,
            delay_s=flow.delay_s + (self.latency - self.jitter) / 1000,
            jitter_s=flow.jitter_s + 2 * self.jitter / 1000,
        )


class Bandwidth(OfToxiproxy, frozen=True, tag="bandwidth"):
    """At most `rate` KB/s, of 1000 bytes; 0 lets nothing through."""

    rate: int = 0

    def __post_init__(self) -> None:
        _within("rate", self.rate, BYTES_MAX // KB)

    def worsen(self, flow: Flow) -> Flow:
        if self.rate == 0:
            return replace(flow, stalled=True)
        return replace(flow, bytes_per_s=least(flow.bytes_per_s, self.rate * KB))


class SlowClose(OfToxiproxy, frozen=True, tag="slow_close"):
    """The end of the stream is passed on `delay` ms late."""

    delay: int = 0

    def __post_init__(self) -> None:
        _within("delay", self.delay, MS_MAX)

    def worsen(self, flow: Flow) -> Flow:
        return replace(flow, linger_s=flow.linger_s + self.delay / 1000)


class Timeout(OfToxiproxy, frozen=True, tag="timeout"):
    """Bytes are lost; the connection closes once none came for `timeout` ms, with 0 never. It
    closes when the toxic is removed, too."""

    timeout: int = 0

    def __post_init__(self) -> None:
        _within("timeout", self.timeout, MS_MAX)

    def worsen(self, flow: Flow) -> Flow:
        hang_up_s = least(flow.hang_up_s, self.timeout / 1000) if self.timeout else flow.hang_up_s
        return replace(flow, swallows=True, hang_up_s=hang_up_s)


class ResetPeer(OfToxiproxy, frozen=True, tag="reset_peer"):
    """Bytes are lost; the connection is reset `timeout` ms after the first of them."""

    timeout: int = 0

    def __post_init__(self) -> None:
        _within("timeout", self.timeout, MS_MAX)

    def worsen(self, flow: Flow) -> Flow:
        return replace(flow, swallows=True, reset_s=least(flow.reset_s, self.timeout / 1000))


class Slicer(OfToxiproxy, frozen=True, tag="slicer"):
    """Chunks are halved, about their middle by up to `size_variation` bytes, until pieces are of
    `average_size` bytes or at most the variation more; `delay` microseconds pass after each.

    The server recurses without end for an average of 0, and for a variation that is not less."""

    average_size: int = 0
    size_variation: int = 0
    delay: int = 0

    def __post_init__(self) -> None:
        refuse_unless(
            1 <= self.average_size <= BYTES_MAX,
            f"average_size must be 1 to {BYTES_MAX} bytes, not {self.average_size}.",
        )
        refuse_unless(
            0 <= self.size_variation < self.average_size,
            f"size_variation must be 0 or more and less than the average_size of "
            f"{self.average_size} bytes, not {self.size_variation}.",
        )
        _within("delay", self.delay, MS_MAX * 1000)

    def worsen(self, flow: Flow) -> Flow:
        return replace(
            flow,
            slice_bytes=int(least(flow.slice_bytes, self.average_size)),
            slice_vary_bytes=int(least(flow.slice_vary_bytes, self.size_variation)),
            slice_gap_s=max(flow.slice_gap_s, self.delay / 1_000_000),
        )


class LimitData(OfToxiproxy, frozen=True, tag="limit_data"):
    """The connection closes when it has carried `bytes` since this began."""

    bytes: int = 0

    def __post_init__(self) -> None:
        _within("bytes", self.bytes, BYTES_MAX)

    def worsen(self, flow: Flow) -> Flow:
        return replace(flow, limit_bytes=int(least(flow.limit_bytes, self.bytes)))


Toxic = Latency | Bandwidth | SlowClose | Timeout | ResetPeer | Slicer | LimitData

TYPES: Final[Mapping[str, type[Toxic]]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(Toxic)
}
"""Every toxic, by its type in Toxiproxy's API."""


def type_of(toxic: Toxic) -> str:
    """The toxic's type in Toxiproxy's API."""
    return str(toxic.__struct_config__.tag)


def attributes_of(toxic: Toxic) -> dict[str, int]:
    """The toxic's attributes in Toxiproxy's API."""
    return {name: getattr(toxic, name) for name in toxic.__struct_fields__}


def check_toxicity(toxicity: float) -> None:
    """Raises `ValueError` for what is no share of the connections."""
    refuse_unless(0.0 <= toxicity <= 1.0, f"A toxicity is from 0 to 1, not {toxicity}.")


def _within(name: str, value: int, most: int) -> None:
    refuse_unless(0 <= value <= most, f"{name} must be 0 to {most}, not {value}.")
