"""The garbage collector, kept out of episodes: what runs when something is collected, such as a
finalizer, must not depend on how much was played before."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EPISODES_MAX = 5
"""How many episodes may leave their garbage behind before it is collected."""


@contextmanager
def resting_collector() -> Iterator[Callable[[], None]]:
    """Inside, garbage is collected only by what is yielded: call it between two episodes, and it
    collects each EPISODES_MAX times. What lives already is never looked at again."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    played = 0

    def between() -> None:
        nonlocal played
        played += 1
        if played % EPISODES_MAX == 0:
            gc.collect()

    try:
        yield between
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()
