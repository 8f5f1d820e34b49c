"""What the network is like on one link: the sum of every toxic in force there, as data.

A toxic turns conditions into worse ones; whoever carries the bytes, a real proxy or a simulated
network, executes the outcome and knows no toxic by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Literal, Protocol

Direction = Literal["up", "down", "both"]
"""`up` is towards the server, `down` is back to the client."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How bytes travel in one direction of a connection.

    Each chunk arrives `delay_s` plus a drawn part of `jitter_s` late, in order; at most
    `bytes_per_s`; in slices of at most `slice_bytes`, `slice_gap_s` apart; after `limit_bytes` the
    connection closes. With `slice_vary_bytes` a chunk is halved instead, about its middle by up to
    so much, until its pieces are of `slice_bytes` or at most so much more. The end of the stream
    is passed on `linger_s` late. While `stalled` nothing moves and nothing is lost.

    While it `swallows`, all that comes is lost, and the connection closes when it stops to: no
    stream loses its middle. Meanwhile the connection closes once nothing came for `hang_up_s`, and
    is reset `reset_s` after something did.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float | None = None
    slice_bytes: int | None = None
    slice_vary_bytes: int | None = None
    slice_gap_s: float = 0.0
    limit_bytes: int | None = None
    linger_s: float = 0.0
    stalled: bool = False
    swallows: bool = False
    hang_up_s: float | None = None
    reset_s: float | None = None


FREE = Flow()


@dataclass(frozen=True, slots=True)
class Conditions:
    """Both flows of a link, and what happens to its connections.

    `refused`: connecting fails, as on a closed port. `cut`: open connections were reset when that
    began. `half_open`: the far end is gone and nobody says so. `reset_after_s`: each connection is
    reset that long after the toxic or the connection began, whichever is later.
    """

    up: Flow = FREE
    down: Flow = FREE
    refused: bool = False
    cut: bool = False
    half_open: bool = False
    reset_after_s: float | None = None
    names: tuple[str, ...] = field(default=(), compare=False)

    def along(self, direction: Direction, worsen: Callable[[Flow], Flow]) -> Conditions:
        """With the flow in this direction worsened."""
        return replace(
            self,
            up=worsen(self.up) if direction != "down" else self.up,
            down=worsen(self.down) if direction != "up" else self.down,
        )


CALM = Conditions()


class Toxic(Protocol):
    """Something wrong with a link."""

    def shape(self, conditions: Conditions) -> Conditions:
        """The conditions with this toxic added. Pure, and independent of the order of toxics."""
        ...


def under(toxics: Iterable[tuple[str, Toxic]]) -> Conditions:
    """The conditions under all these toxics, each with the name it is known by."""

    def add(conditions: Conditions, named: tuple[str, Toxic]) -> Conditions:
        name, toxic = named
        return replace(toxic.shape(conditions), names=(*conditions.names, name))

    return reduce(add, toxics, CALM)


def least(one: float | None, other: float) -> float:
    """The stricter of two bounds; None is no bound."""
    return other if one is None else min(one, other)
