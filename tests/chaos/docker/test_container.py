"""What can be done to a container, on a real engine."""

from __future__ import annotations

import asyncio

import pytest

from chaos.docker.engine import EngineFailed
from tests.chaos.docker.conftest import until

MIB = 1024 * 1024


async def test_killed_by_the_engine_it_stays_down(start) -> None:
    server = await start(restart="always")
    await server.until_ready()
    await server.container.kill()
    over = await server.container.until_over()
    assert (over.exit_status, over.out_of_memory, over.restarts) == (-9, False, 0)
    assert await server.get() is None


async def test_killing_what_does_not_run_does_nothing(start) -> None:
    server = await start()
    await server.container.kill()
    await server.container.until_over()
    await server.container.kill()
    await server.container.crash()


async def test_after_a_crash_its_restart_policy_brings_it_back(start) -> None:
    server = await start(restart="always")
    assert await server.until_ready() == "I"
    before = await server.container.state()
    await server.container.crash()

    async def again() -> bool:
        return await server.get() == "II"

    await until(again)
    after = await server.container.state()
    assert after.restarts == 1
    assert after.pid != before.pid


async def test_who_may_not_signal_its_process_has_a_container_do_it(start, monkeypatch) -> None:
    server = await start()
    await server.until_ready()

    def refuse(_pid: int, _number: int) -> None:
        raise PermissionError

    monkeypatch.setattr("os.kill", refuse)
    await server.container.crash()
    assert (await server.container.until_over()).exit_status == -9


async def test_after_a_crash_without_a_policy_it_stays_down(start) -> None:
    server = await start()
    await server.until_ready()
    await server.container.crash()
    assert (await server.container.until_over()).exit_status == -9


async def test_paused_it_takes_connections_and_answers_nothing(start) -> None:
    server = await start()
    await server.until_ready()
    await server.container.pause()
    await server.container.pause()
    _reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.close()
    assert await server.get(timeout_s=0.5) is None
    assert (await server.container.state()).paused
    await server.container.resume()
    await server.container.resume()
    assert await server.get() == "I"


async def test_one_that_is_paused_can_be_killed(start) -> None:
    server = await start()
    await server.until_ready()
    await server.container.pause()
    await server.container.kill()
    assert (await server.container.until_over()).exit_status == -9


async def test_stopped_it_may_end_in_good_order(start) -> None:
    server = await start()
    await server.until_ready()
    await server.container.stop()
    assert (await server.container.until_over()).exit_status == 7


async def test_restarted_it_has_what_it_had_written(start) -> None:
    server = await start()
    await server.until_ready()
    await server.container.restart()
    assert await server.until_ready() == "II"


async def test_a_port_is_open_before_anybody_listens_so_only_a_200_tells(start) -> None:
    server = await start(listens_after_s=1.5)
    _reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.close()
    assert await server.get(timeout_s=0.3) is None
    assert await server.until_ready() == "I"


async def test_off_the_network_it_runs_and_nobody_reaches_it(start, network) -> None:
    server, other = await start(name="server"), await start(name="other")
    await server.until_ready()
    await other.until_ready()
    reconnect = await server.container.disconnect(network)
    assert await server.get(timeout_s=0.5) is None
    assert (await server.container.state()).running
    await reconnect()
    await reconnect()
    assert await server.until_ready() == "I"


async def test_back_on_the_network_it_has_its_names_again(start, network, engine) -> None:
    server, other = await start(name="server"), await start(name="other")
    await server.until_ready()
    await (await server.container.disconnect(network))()
    code = (
        f"from urllib.request import urlopen as u; print(u('http://server:{server.port}').read())"
    )
    ran = await engine.call(
        lambda c: c.containers.get(other.container.id).exec_run(["python", "-c", code])
    )
    assert (ran.exit_code, ran.output) == (0, b"b'I'\n")


async def test_a_limit_on_its_cpu_slows_it_down_until_it_is_undone(start) -> None:
    server = await start()
    await server.until_ready()
    undo = await server.container.limit_cpu(0.1)
    limited = float(await server.get("/work", timeout_s=20.0))
    await undo()
    free = float(await server.get("/work", timeout_s=20.0))
    assert limited < 0.2
    assert free > limited


async def test_out_of_memory_is_told_from_a_kill(start) -> None:
    server = await start()
    await server.until_ready()
    await server.container.limit_memory(64 * MIB)
    await server.get("/eat", timeout_s=20.0)
    over = await server.container.until_over()
    assert (over.exit_status, over.out_of_memory) == (-9, True)


async def test_with_its_memory_back_it_may_use_it(start, engine) -> None:
    server = await start()
    await server.until_ready()
    await (await server.container.limit_memory(64 * MIB))()
    told = await engine.call(lambda c: c.api.inspect_container(server.container.id))
    assert told["HostConfig"]["Memory"] > 1024 * MIB
    assert told["State"]["Running"]


async def test_what_the_engine_does_not_know_it_says_in_words(start) -> None:
    server = await start()
    await server.container.remove()
    with pytest.raises(EngineFailed, match="No such container"):
        await server.container.state()
