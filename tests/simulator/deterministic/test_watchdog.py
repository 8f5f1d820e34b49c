"""A callback that does not come back ends the run, and is named."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from simulator.deterministic.loop import SimLoop
from simulator.deterministic.process import Process
from simulator.deterministic.real import NotSimulated
from simulator.deterministic.watchdog import watchdog


async def spins() -> None:
    while True:
        pass


async def spins_on() -> None:
    while True:
        try:
            await spins()
        except Exception:  # noqa: BLE001, S112 - as a client that retries whatever happens
            continue


async def awaits() -> None:
    for _turn in range(100):
        await asyncio.sleep(10.0)


def run(work: Callable[[], Coroutine[Any, Any, None]], stretch_s_max: float) -> None:
    loop = SimLoop()

    async def main() -> None:
        await loop.spawn(Process("bot"), work())

    try:
        with watchdog(loop, stretch_s_max):
            loop.run(main())
    finally:
        loop.close()


@pytest.mark.parametrize("work", [spins, spins_on])
def test_who_never_awaits_is_named(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    where = r"bot asked for more than 0\.05 s without an await, in spins\w* \(.*test_watchdog\.py:"
    with pytest.raises(NotSimulated, match=where):
        run(work, 0.05)


def test_virtual_time_is_not_what_counts() -> None:
    run(awaits, 5.0)


def test_alarms_that_somebody_else_set_are_kept() -> None:
    before = signal.getsignal(signal.SIGALRM)
    set_before = signal.setitimer(signal.ITIMER_REAL, 1000.0)
    try:
        run(awaits, 5.0)
        assert 900 < signal.getitimer(signal.ITIMER_REAL)[0] <= 1000
        assert signal.getsignal(signal.SIGALRM) is before
    finally:
        signal.setitimer(signal.ITIMER_REAL, *set_before)


def test_in_another_thread_nothing_is_watched() -> None:
    failures: list[BaseException] = []

    def play() -> None:
        try:
            run(awaits, 5.0)
        except BaseException as failure:  # noqa: BLE001 - told to the test
            failures.append(failure)

    thread = threading.Thread(target=play)
    thread.start()
    thread.join(30)
    assert failures == []
