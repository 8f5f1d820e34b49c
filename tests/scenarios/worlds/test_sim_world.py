"""The world `sim`: what it starts, wakes and leaves behind."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Awaitable, Callable

from scenarios.choices import Choices
from scenarios.history import Recorder
from scenarios.scenario import Family, Scenario
from scenarios.targets.spec import ReferenceClient, SimulatedServer
from scenarios.workload import steady
from scenarios.worlds.sim.world import SimWorld
from simulator.deterministic.loop import SimLoop

QUIET = Scenario(
    name="quiet",
    family=Family.DOWN,
    proves="Nothing.",
    workload=steady(("bot",), trades=1, over_s=0.1),
    checkers=(),
)


def live(story: Callable[[SimWorld], Awaitable[None]]) -> list[str]:
    """Plays a story in a world of its own; what the world told of it, in order."""
    loop = SimLoop(None, steps_max=10_000)
    recorder = Recorder(None, lambda: int(loop.time() * 1e6))
    world = SimWorld(
        QUIET,
        loop=loop,
        fidelity="message",
        choices=Choices(1, {}),
        recorder=recorder,
        client=ReferenceClient(),
        server=SimulatedServer(),
    )

    async def told() -> None:
        await world.open()
        await story(world)
        await world.aclose()

    try:
        loop.run(told())
    finally:
        loop.close()
    return [op.f for op in recorder.history().ops]


def test_whoever_is_starting_when_a_run_is_closed_leaves_nothing_behind():
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        async def story(world):
            await world.start("dtms")
            await world.start("bot")

        live(story)
        gc.collect()


def test_a_start_that_wakes_a_paused_process_is_told_as_its_resumption():
    async def story(world):
        await world.start("dtms")
        world.pause("dtms")
        await world.start("dtms")
        await world.start("dtms")

    assert live(story) == ["start", "pause", "resume"]


def test_a_stop_that_wakes_a_paused_process_is_told_as_its_resumption():
    async def story(world):
        await world.start("dtms")
        await world.until_ready("dtms", 5.0)
        world.pause("dtms")
        await world.stop("dtms")

    assert live(story) == ["start", "ready", "pause", "resume", "stop", "exited"]
