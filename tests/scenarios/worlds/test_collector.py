"""Episodes in bulk are played without the garbage collector."""

import gc

import pytest

from scenarios.worlds.sim.collector import resting_collector


class Knot:
    def __init__(self) -> None:
        self.itself = self


def test_nothing_is_collected_but_between_episodes() -> None:
    with resting_collector() as between:
        assert not gc.isenabled()
        Knot()
        assert any(isinstance(thing, Knot) for thing in gc.get_objects())
        between()
        assert not any(isinstance(thing, Knot) for thing in gc.get_objects())
    assert gc.isenabled()


def test_the_collector_comes_back_after_an_error() -> None:
    with pytest.raises(ValueError, match="an episode failed"), resting_collector():
        raise ValueError("an episode failed")
    assert gc.isenabled()
