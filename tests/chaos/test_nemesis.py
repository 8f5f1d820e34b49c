"""The nemesis, against a world that only remembers what was done to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from chaos.capabilities import (
    Broker,
    Disks,
    Instances,
    Links,
    Managers,
    Points,
    Power,
    Processes,
    Requests,
    Server,
    Storage,
    Undo,
)
from chaos.choice import seeded
from chaos.faults import (
    BrokerFault,
    CorruptStore,
    CrashAt,
    DiskTrouble,
    DropAnswer,
    Kill,
    ManagerFault,
    Pause,
    PowerLoss,
    Restart,
    SecondInstance,
    ServerFault,
    Stall,
)
from chaos.nemesis import Nemesis, NotOffered
from chaos.schedule import Scheduled, after_request, at, during, every
from chaos.undo import once

WAIT_S_MAX = 5.0


class World:
    """Offers everything; `does` is what it was told, in order."""

    def __init__(self) -> None:
        self.does: list[str] = []
        self.recorded: list[tuple[str, object]] = []
        self.changed = asyncio.Event()
        self.seen = asyncio.Event()
        self.slow = asyncio.Event()
        self.slow.set()
        self.broken: set[str] = set()

    async def kill(self, actor: str) -> None:
        await self.slow.wait()
        self._do(f"kill {actor}")

    async def stop(self, actor: str) -> None:
        self._do(f"stop {actor}")

    async def start(self, actor: str) -> None:
        self._do(f"start {actor}")

    async def pause(self, actor: str) -> None:
        self._do(f"pause {actor}")

    async def resume(self, actor: str) -> None:
        self._do(f"resume {actor}")

    async def toxify(self, link: str, toxic: object) -> Undo:
        return self._with_undo(f"toxify {link}")

    async def rule(self, link: str, rule: object) -> Undo:
        return self._with_undo(f"rule {link}")

    async def until_seen(self, n: int, op: str) -> None:
        self._do(f"wait for {op} {n}")
        await self.seen.wait()

    async def start_second(self, actor: str) -> Undo:
        return self._with_undo(f"second {actor}")

    async def script(self, actor: str, fault: Mapping[str, object]) -> Undo:
        return self._with_undo(f"script {actor} {fault['fault']}")

    async def corrupt(self, actor: str) -> None:
        self._do(f"corrupt {actor}")

    async def lose_power(self, actor: str) -> None:
        self._do(f"power off {actor}")

    async def trouble(self, actor: str, how: str, delay_s: float) -> Undo:
        return self._with_undo(f"disk {actor} {how} {delay_s}")

    async def arm(
        self, actor: str, point: str, nth: int, *, power: bool, restart_after_s: float
    ) -> Undo:
        return self._with_undo(f"arm {actor} {point} {nth} {power} {restart_after_s}")

    def record(self, f: str, value: Mapping[str, object]) -> None:
        self.recorded.append((f, value["fault"]))
        self.changed.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            while not true():
                await self.changed.wait()
                self.changed.clear()

    def _with_undo(self, deed: str) -> Undo:
        self._do(deed)

        async def take_back() -> None:
            self._do(f"undo {deed}")

        return once(take_back)

    def _do(self, deed: str) -> None:
        if deed in self.broken:
            raise OSError(f"{deed} failed")
        self.does.append(deed)
        self.changed.set()


class Moods:
    """Broker or manager of a world."""

    def __init__(self, world: World, who: str) -> None:
        self.world = world
        self.who = who

    async def behave(self, mode: str, delay_s: float = 0.0) -> Undo:
        return self.world._with_undo(f"{self.who} {mode} {delay_s}")


@pytest.fixture
async def world() -> World:
    return World()


def nemesis(world: World, *schedule: Scheduled, seed: int = 1) -> Nemesis:
    offered: dict[type, object] = dict.fromkeys(
        (Links, Requests, Processes, Instances, Server, Disks, Power, Storage, Points), world
    )
    offered[Broker] = Moods(world, "broker")
    offered[Managers] = Moods(world, "manager")
    return Nemesis(schedule, offered, world="fake", draw=seeded(seed), record=world.record)


async def test_a_fault_is_undone_at_the_end_of_its_window(world: World) -> None:
    await nemesis(world, during(0.0, 0.02, Pause("dtms"))).run()
    assert world.does == ["pause dtms", "resume dtms"]


async def test_a_fault_lasts_as_long_as_its_window(world: World) -> None:
    clock = asyncio.get_running_loop().time
    began_s = clock()
    await nemesis(world, during(0.03, 0.08, Pause("dtms"))).run()
    assert clock() - began_s >= 0.08


async def test_windows_of_several_faults_overlap(world: World) -> None:
    await nemesis(
        world, during(0.0, 0.06, Pause("dtms")), during(0.02, 0.04, Stall("bot->dtms"))
    ).run()
    assert world.does == [
        "pause dtms",
        "toxify bot->dtms",
        "undo toxify bot->dtms",
        "resume dtms",
    ]


async def test_a_fault_without_an_end_stays_until_healing(world: World) -> None:
    n = nemesis(world, at(0.0, Pause("dtms")))
    await n.run()
    assert world.does == ["pause dtms"]
    await n.heal()
    assert world.does == ["pause dtms", "resume dtms"]


async def test_every_inflicts_as_often_as_it_says(world: World) -> None:
    await nemesis(world, every(0.02, Kill("dtms"), for_s=0.01, times=3)).run()
    assert world.does == ["kill dtms", "start dtms"] * 3


async def test_a_fault_after_a_request_waits_for_it(world: World) -> None:
    running = asyncio.ensure_future(
        nemesis(world, after_request(5, Kill("dtms"), for_s=0.01)).run()
    )
    await world.until(lambda: len(world.does) == 1)
    assert world.does == ["wait for enable 5"]
    world.seen.set()
    await asyncio.wait_for(running, WAIT_S_MAX)
    assert world.does == ["wait for enable 5", "kill dtms", "start dtms"]


async def test_healing_undoes_the_latest_fault_first(world: World) -> None:
    n = nemesis(
        world,
        at(0.0, Pause("dtms")),
        at(0.01, DropAnswer("*->dtms")),
        at(0.02, ServerFault("dtms", {"fault": "store-full"})),
    )
    await n.run()
    await n.heal()
    assert world.does[3:] == [
        "undo script dtms store-full",
        "undo rule *->dtms",
        "resume dtms",
    ]


async def test_healing_twice_undoes_once(world: World) -> None:
    n = nemesis(world, at(0.0, Pause("dtms")))
    await n.run()
    await n.heal()
    await n.heal()
    assert world.does == ["pause dtms", "resume dtms"]


async def test_cancelled_it_undoes_everything(world: World) -> None:
    running = asyncio.ensure_future(
        nemesis(world, at(0.0, Pause("dtms")), during(0.0, 60.0, Stall("bot->dtms"))).run()
    )
    await world.until(lambda: len(world.does) == 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sorted(world.does[2:]) == ["resume dtms", "undo toxify bot->dtms"]


async def test_a_fault_that_is_being_inflicted_when_cancelled_is_undone_too(world: World) -> None:
    world.slow.clear()
    running = asyncio.ensure_future(nemesis(world, at(0.0, Kill("dtms"))).run())
    await world.until(lambda: len(world.recorded) == 1)
    running.cancel()
    await asyncio.sleep(0)
    world.slow.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert world.does == ["kill dtms", "start dtms"]


async def test_a_fault_that_cannot_be_inflicted_ends_the_run_and_undoes_the_others(
    world: World,
) -> None:
    world.broken.add("pause dtms")
    n = nemesis(world, at(0.0, Stall("bot->dtms")), at(0.01, Pause("dtms")))
    with pytest.raises(OSError, match="pause dtms failed"):
        await n.run()
    assert world.does == ["toxify bot->dtms", "undo toxify bot->dtms"]


async def test_an_undo_that_fails_does_not_keep_the_others_from_being_undone(
    world: World,
) -> None:
    n = nemesis(world, at(0.0, Stall("bot->dtms")), at(0.01, Pause("dtms")))
    await n.run()
    world.broken.add("resume dtms")
    with pytest.raises(ExceptionGroup, match="1 faults could not be undone") as failed:
        await n.heal()
    assert "resume dtms failed" in str(failed.value.exceptions[0])
    assert world.does[-1] == "undo toxify bot->dtms"


async def test_what_is_inflicted_and_undone_is_recorded_around_it(world: World) -> None:
    await nemesis(world, during(0.0, 0.01, Pause("dtms"))).run()
    assert world.recorded == [("inflict", "pause"), ("undo", "pause")]


async def test_a_fault_undone_by_healing_is_recorded_once(world: World) -> None:
    n = nemesis(world, at(0.0, Pause("dtms")))
    await n.run()
    await n.heal()
    await n.heal()
    assert world.recorded == [("inflict", "pause"), ("undo", "pause")]


def test_a_fault_that_the_world_cannot_suffer_is_refused_in_words() -> None:
    offered: dict[type, object] = {Links: object(), Requests: object()}
    n = Nemesis(
        (at(0.0, Pause("dtms")),),
        offered,
        world="x",
        draw=seeded(1),
        record=lambda _f, _value: None,
    )
    with pytest.raises(NotOffered) as refused:
        n.refuse_what_is_not_offered()
    assert str(refused.value) == 'Pause needs Processes. World "x" offers Links, Requests.'


def test_everything_that_is_refused_is_named_once() -> None:
    schedule = (
        at(0.0, Pause("dtms")),
        at(1.0, Pause("bot")),
        after_request(1, Stall("bot->dtms")),
    )
    n = Nemesis(schedule, {}, world="x", draw=seeded(1), record=lambda _f, _value: None)
    with pytest.raises(NotOffered) as refused:
        n.refuse_what_is_not_offered()
    assert str(refused.value) == (
        "Pause needs Processes. Stall needs Links. Stall after a request needs Requests. "
        'World "x" offers nothing.'
    )


async def test_nothing_is_inflicted_where_something_is_refused(world: World) -> None:
    n = Nemesis(
        (at(0.0, Pause("dtms")), at(0.0, Stall("bot->dtms"))),
        {Processes: world},
        world="x",
        draw=seeded(1),
        record=world.record,
    )
    with pytest.raises(NotOffered):
        await n.run()
    assert world.does == []


async def test_a_killed_process_comes_back_after_its_time(world: World) -> None:
    n = nemesis(world, at(0.0, Kill("dtms", restart_after_s=0.01)))
    await n.run()
    await world.until(lambda: "start dtms" in world.does)
    await n.heal()
    assert world.does == ["kill dtms", "start dtms"]


async def test_a_killed_process_comes_back_at_healing_if_that_is_earlier(world: World) -> None:
    n = nemesis(world, at(0.0, Restart("dtms", restart_after_s=60.0)))
    await n.run()
    await n.heal()
    assert world.does == ["stop dtms", "start dtms"]


async def test_a_machine_that_lost_power_comes_back_after_its_time(world: World) -> None:
    n = nemesis(world, at(0.0, PowerLoss("dtms", restart_after_s=0.01)))
    await n.run()
    await world.until(lambda: "start dtms" in world.does)
    await n.heal()
    assert world.does == ["power off dtms", "start dtms"]


async def test_a_restart_that_fails_is_told_at_healing(world: World) -> None:
    world.broken.add("start dtms")
    n = nemesis(world, at(0.0, Kill("dtms", restart_after_s=0.0)))
    await n.run()
    await asyncio.sleep(0.01)
    with pytest.raises(ExceptionGroup) as failed:
        await n.heal()
    assert "start dtms failed" in str(failed.value.exceptions[0])


@pytest.mark.parametrize(
    ("scheduled", "deeds"),
    [
        (at(0.0, SecondInstance("dtms")), ["second dtms", "undo second dtms"]),
        (at(0.0, CorruptStore("dtms")), ["corrupt dtms"]),
        (at(0.0, PowerLoss("dtms")), ["power off dtms", "start dtms"]),
        (
            at(0.0, DiskTrouble("dtms", "full")),
            ["disk dtms full 0.0", "undo disk dtms full 0.0"],
        ),
        (
            at(0.0, DiskTrouble("dtms", "slow")),
            ["disk dtms slow 0.5", "undo disk dtms slow 0.5"],
        ),
        (
            at(0.0, CrashAt("dtms", "synced", nth=2, power=True, restart_after_s=0.3)),
            ["arm dtms synced 2 True 0.3", "undo arm dtms synced 2 True 0.3"],
        ),
        (at(0.0, BrokerFault("down")), ["broker down 0.0", "undo broker down 0.0"]),
        (at(0.0, BrokerFault("slow")), ["broker slow 0.5", "undo broker slow 0.5"]),
        (at(0.0, ManagerFault("refuse")), ["manager refuse 0.0", "undo manager refuse 0.0"]),
    ],
)
async def test_a_fault_asks_its_capability(
    world: World, scheduled: Scheduled, deeds: list[str]
) -> None:
    n = nemesis(world, scheduled)
    await n.run()
    await n.heal()
    assert world.does == deeds
