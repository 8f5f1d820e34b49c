"""Keyed randomness: a decision is drawn by what it is about, not by when it is made.

Two runs with one seed decide alike however their requests interleave, and leaving one decision out
shifts none of the others, which is what makes shrinking a failure work.
"""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from typing import Protocol

DRAW_BITS = 53
"""As many as a float in [0, 1) holds exactly."""


class Draw(Protocol):
    """A number in [0, 1) for what `key` says; the same key gives the same number. 0 is benign."""

    def __call__(self, key: str) -> float: ...


def draw(seed: int, key: str) -> float:
    """hash(seed, key) in [0, 1)."""
    digest = blake2b(f"{seed}:{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> (64 - DRAW_BITS)) / (1 << DRAW_BITS)


def seeded(seed: int) -> Draw:
    """Draws of one seed."""
    return partial(draw, seed)


def benign(key: str) -> float:  # noqa: ARG001 - a draw takes a key, this one needs none
    """Every decision comes out harmless, unless its probability is 1."""
    return 0.0


def happens(probability: float, key: str, draw: Draw) -> bool:
    """Whether something of this probability happens; what is certain needs no draw."""
    return probability >= 1.0 or draw(key) >= 1.0 - probability
