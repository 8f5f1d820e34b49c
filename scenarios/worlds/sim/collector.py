"""The garbage collector, kept out of episodes: what runs when something is collected, such as a
finalizer, must not depend on how much was played before."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def resting_collector() -> Iterator[Callable[[], None]]:
    """Inside, garbage is collected only by what is yielded: to be called after each episode, since
    what an episode leaves behind is collected twice as fast while it is still in the caches. What
    lives already is never looked at again."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield _collect
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def _collect() -> None:
    gc.collect()
