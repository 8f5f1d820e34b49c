"""The profile of a simulated episode: who is charged with what."""

import signal
import subprocess
import sys

import pytest

from loadtests.profile import EPISODES, Sampler, layer_of, profile, told


def burn_in(module: str, expression: str) -> Sampler:
    """What is counted while a function of that module works."""
    scope: dict[str, object] = {"__name__": module}
    exec(f"def work():\n    {expression}", scope)
    with Sampler() as sampler:
        while sampler.layers.total() < 3:
            scope["work"]()
    return sampler


def test_work_in_a_library_is_the_layers_that_asked_for_it():
    sampler = burn_in("core.trade", "import json; json.loads('[' + '1,' * 9999 + '1]')")
    assert sampler.layers["core"] > 0
    assert set(sampler.layers) <= {"core", "elsewhere"}


@pytest.mark.parametrize(
    ("module", "layer"),
    [
        ("core.registrar", "core"),
        ("simulator.engine", "server"),
        ("simulator.deterministic.loop", "event loop and processes"),
        ("simulator.deterministic.disk", "disks, outbox and store"),
        ("scenarios.worlds.sim.message_link", "network"),
        ("scenarios.worlds.sim.world", "episode, workload and world"),
        ("scenarios.evidence.exchange", "checkers"),
        ("asyncio.tasks", None),
    ],
)
def test_each_module_has_the_first_layer_that_fits(module, layer):
    assert layer_of(module) == layer


def test_the_shares_are_of_everything_that_was_seen():
    before = signal.getsignal(signal.SIGPROF)
    found = profile("message", 40)
    assert sum(share for _layer, share in found.shares) == pytest.approx(1)
    assert {"core", "event loop and processes"} <= {layer for layer, _share in found.shares}
    assert "message: " in told(found)
    assert signal.getsignal(signal.SIGPROF) == before


@pytest.mark.parametrize("words", [["quick"], ["message", "--episodes", "0"]])
def test_what_cannot_be_profiled_is_refused_in_words(words):
    ended = subprocess.run(
        [sys.executable, "-m", "loadtests.profile", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "fidelity" in ended.stderr or "at least one" in ended.stderr


def test_every_fidelity_has_a_number_of_episodes():
    assert list(EPISODES) == ["message", "http", "socket"]
