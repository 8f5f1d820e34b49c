"""Delta debugging: the few of many that are needed.

A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 2002,
without its tests of single pieces: what is needed is seldom all in one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def ddmin(items: Sequence[T], still_fails: Callable[[list[T]], bool]) -> list[T]:
    """Drops ever smaller pieces for as long as what is left still fails. Of what is returned no
    single one can be left out, where `still_fails` always says the same of the same.

    `items` themselves are taken to fail and never asked about.
    """
    left = list(items)
    if not left or still_fails([]):
        return []
    pieces = 2
    while len(left) >= 2:
        for rest in _without_a_piece(left, pieces):
            if still_fails(rest):
                left, pieces = rest, max(2, pieces - 1)
                break
        else:
            if pieces >= len(left):
                break
            pieces = min(len(left), pieces * 2)
    return left


def _without_a_piece(items: list[T], pieces: int) -> Iterator[list[T]]:
    size = -(-len(items) // pieces)
    for start in range(0, len(items), size):
        yield items[:start] + items[start + size :]
