"""What a dead owner left is removed, and nobody else's."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.docker.left_behind import remove_orphans, remove_run
from chaos.docker.owner import OWNER, RUN, Owner
from tests.chaos.docker.conftest import until

LAB = """
import os, sys
from chaos.docker import reaper
from chaos.docker.engine import Engine
from chaos.docker.owner import Owner
run, reaped, image = sys.argv[1:]
owner, engine = Owner.this_process(), Engine.connect()
if reaped == "reaped":
    reaper.start(run, owner, os.environ)
api, labels = engine.client.api, dict(owner.labels(run))
api.create_network("test-" + run, labels=labels)
host = api.create_host_config(network_mode="test-" + run)
sleep = ["python", "-c", "import time; time.sleep(600)"]
made = api.create_container(image, sleep, labels=labels, host_config=host)
api.start(made["Id"])
print("started", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def lab(image):
    """Starts a process that makes a network and a container, under a run's name."""
    started: list[subprocess.Popen[bytes]] = []

    def start(run: str, reaped: str) -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen([sys.executable, "-c", LAB, run, reaped, image], **pipes)  # type: ignore[call-overload]
        started.append(process)
        assert process.stdout.readline() == b"started\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def made_in(engine, run: str) -> int:
    """Containers and networks that are there."""
    label = {"label": f"{RUN}={run}"}
    api = engine.client.api
    return len(api.containers(all=True, filters=label)) + len(api.networks(filters=label))


async def test_a_reaper_removes_what_a_killed_lab_left(engine, run, lab) -> None:
    process = lab(run, "reaped")
    assert made_in(engine, run) == 2
    process.kill()

    async def gone() -> bool:
        return made_in(engine, run) == 0

    await until(gone)


async def test_a_later_call_removes_what_a_dead_lab_left(engine, run, lab) -> None:
    process = lab(run, "alone")
    engine.ask(remove_orphans)
    assert made_in(engine, run) == 2
    process.kill()
    process.wait()
    engine.ask(remove_orphans)
    assert made_in(engine, run) == 0


async def test_a_run_is_removed_without_touching_another(engine, run, lab) -> None:
    other = secrets.token_hex(6)
    lab(run, "alone")
    lab(other, "reaped")
    engine.ask(lambda client: remove_run(client, run))
    assert (made_in(engine, run), made_in(engine, other)) == (0, 2)
    assert engine.ask(lambda client: remove_run(client, other)) == 2


async def test_what_belongs_to_nobody_that_can_be_seen_stays(engine, run) -> None:
    elsewhere = Owner(1, 1, "pid:[1]")
    labels = {OWNER: elsewhere.label, RUN: run}
    engine.ask(lambda c: c.api.create_network(f"test-{run}", labels=labels))
    engine.ask(remove_orphans)
    assert made_in(engine, run) == 1


def test_an_owner_is_read_from_its_label() -> None:
    owner = Owner.this_process()
    assert Owner.read(owner.label) == owner
    assert not owner.dead
    assert [Owner.read(text) for text in ("", "12", "12/x/y", "1/2/")] == [None] * 4


def test_a_later_process_of_the_same_id_is_another_owner() -> None:
    owner = Owner.this_process()
    assert Owner(owner.pid, owner.started - 1, owner.space).dead


def test_who_is_dead_and_not_yet_buried_is_dead() -> None:
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", "pass"], os.environ)
    try:
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        assert fields[0] == "Z"
        assert Owner(child, int(fields[19]), Owner.this_process().space).dead
    finally:
        os.waitpid(child, 0)
