"""One actor as a process: asked, killed, paused, stopped; its death is always noticed."""

import asyncio
import sys
from pathlib import Path
from random import Random

import pytest

from scenarios.worlds.ports import Ports
from scenarios.worlds.process import ActorProcess
from scenarios.worlds.world import ActorGone, EnvironmentFailed

ECHO = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "rubbish":
        print("hello", flush=True)
        print(json.dumps({"id": "nobody's"}), flush=True)
    elif request["op"] == "die":
        sys.stderr.write("last words"); sys.exit(7)
    elif request["op"] == "flood":
        print("x" * 5_000_000, flush=True)
    elif request["op"] != "silence":
        print(json.dumps({"id": request["id"], "op": request["op"]}), flush=True)
"""
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1); time.sleep(60)"
)


@pytest.fixture
async def actor(tmp_path):
    made: list[ActorProcess] = []
    gone: list[ActorProcess] = []

    async def start(program: str = ECHO) -> ActorProcess:
        process = ActorProcess(
            "bot",
            [sys.executable, "-u", "-c", program],
            log=tmp_path / "bot.log",
            cwd=tmp_path,
            environ={"PATH": ""},
            on_exit=gone.append,
        )
        made.append(process)
        await process.start()
        return process

    start.gone = gone  # type: ignore[attr-defined]
    yield start
    for process in made:
        await process.kill()


async def test_it_answers_by_id(actor) -> None:
    process = await actor()
    asked = (process.ask({"id": n, "op": f"o{n}"}, 5) for n in range(10))
    assert [answer["op"] for answer in await asyncio.gather(*asked)] == [f"o{n}" for n in range(10)]


async def test_no_answer_in_time(actor) -> None:
    process = await actor()
    with pytest.raises(TimeoutError):
        await process.ask({"id": 1, "op": "silence"}, 0.05)


async def test_rubbish_is_counted_and_harms_nobody(actor) -> None:
    process = await actor()
    with pytest.raises(TimeoutError):
        await process.ask({"id": 1, "op": "rubbish"}, 0.3)
    assert process.rubbish == 2
    assert (await process.ask({"id": 2, "op": "x"}, 5))["op"] == "x"


async def test_an_endless_line_ends_the_process(actor) -> None:
    process = await actor()
    with pytest.raises(ActorGone):
        await process.ask({"id": 1, "op": "flood"}, 10)
    assert process.exit_status == -9


async def test_who_waits_when_it_dies_is_told(actor) -> None:
    process = await actor()
    waiting = asyncio.create_task(process.ask({"id": 1, "op": "silence"}, 10))
    await process.ask({"id": 2, "op": "x"}, 5)
    with pytest.raises(ActorGone, match="status 7"):
        await process.ask({"id": 3, "op": "die"}, 10)
    with pytest.raises(ActorGone):
        await waiting
    assert process.last_words() == "last words"
    assert actor.gone == [process]
    with pytest.raises(ActorGone, match="not running"):
        await process.ask({"id": 4, "op": "x"}, 5)


async def test_kill_pause_and_resume(actor) -> None:
    process = await actor()
    await process.pause()
    with pytest.raises(TimeoutError):
        await process.ask({"id": 1, "op": "x"}, 0.1)
    await process.resume()
    await process.resume()
    assert (await process.ask({"id": 2, "op": "x"}, 5))["op"] == "x"
    await process.kill()
    await process.kill()
    assert (process.running, process.exit_status) == (False, -9)


async def test_a_graceful_stop_and_one_that_is_not_heeded(actor, monkeypatch) -> None:
    assert await (await actor()).stop()
    monkeypatch.setattr("scenarios.worlds.process.STOP_S_MAX", 0.2)
    deaf = await actor(DEAF)
    while deaf.rubbish == 0:  # noqa: ASYNC110 - until it says that it ignores the signal
        await asyncio.sleep(0.005)
    assert not await deaf.stop()


async def test_a_program_that_is_not_there_is_the_environments_failure(tmp_path) -> None:
    process = ActorProcess(
        "bot",
        ["/no/such/program"],
        log=tmp_path / "x.log",
        cwd=Path.cwd(),
        environ={},
        on_exit=lambda _process: None,
    )
    with pytest.raises(EnvironmentFailed, match="cannot be started"):
        await process.start()
    assert not process.running
    assert process.exit_status is None


def test_ports_are_free_and_held_once() -> None:
    ports = Ports(Random(1))
    taken = [ports.take() for _ in range(20)]
    assert len(set(taken)) == 20
    ports.release(taken[0])


def test_a_busy_port_is_not_handed_out() -> None:
    import socket

    first = Ports(Random(5)).take()
    with socket.socket() as held:
        held.bind(("127.0.0.1", first))
        held.listen()
        assert Ports(Random(5)).take() != first


def test_no_port_at_all_is_the_environments_failure(monkeypatch) -> None:
    monkeypatch.setattr("scenarios.worlds.ports._is_free", lambda _port: False)
    with pytest.raises(EnvironmentFailed, match="no free port"):
        Ports(Random(1)).take()
