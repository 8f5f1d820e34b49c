"""Simulated code that reaches for the machine is caught, and named."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.deterministic.guard import Guard
from simulator.deterministic.loop import SimLoop
from simulator.deterministic.network import Network
from simulator.deterministic.process import Process
from simulator.deterministic.real import NotSimulated
from simulator.deterministic.sockets import SimSocket
from simulator.deterministic.stand_ins import stand_ins

REAL_SOCKET = socket.socket


def run(do: Callable[[], Any], *, folder: Path | None = None, seed: int = 0) -> Any:
    """What `do` returns, done by a simulated process called bot."""
    loop, guard, process = SimLoop(), Guard(), Process("bot")
    loop.network = Network(loop)
    if folder is not None:
        guard.allow("bot", folder)

    async def doing() -> Any:
        await asyncio.sleep(1.5)
        return do()

    async def main() -> Any:
        return await loop.spawn(process, doing())

    try:
        with stand_ins(loop, seed=seed, beginning_s=1000.0), guard.watching():
            return loop.run(main())
    finally:
        process.die()
        loop.close()


def connect() -> None:
    socket.create_connection(("127.0.0.1", 9))


def write() -> None:
    Path("written-by-a-simulation").write_text("no")


ESCAPES: dict[str, tuple[Callable[[], Any], str]] = {
    "a thread": (lambda: threading.Thread(target=print).start(), "a thread"),
    "a blocking sleep": (lambda: time.sleep(0.01), "time.sleep of 0.01 s"),
    "a connection": (connect, "socket"),
    "a real socket": (lambda: REAL_SOCKET(), "a real socket"),
    "a name": (lambda: socket.gethostbyname("localhost"), "gethostbyname"),
    "a file to write": (write, "written-by-a-simulation"),
    "a file to read": (lambda: Path("/etc/hostname").read_text(), "/etc/hostname"),
    "a folder": (lambda: Path("made-by-a-simulation").mkdir(), "os.mkdir"),
    "a program": (lambda: subprocess.run(["true"], check=False), "subprocess.Popen"),
    "a shell": (lambda: os.system("true"), "os.system"),
    "a database": (lambda: sqlite3.connect("elsewhere.db"), "sqlite3.connect"),
}


@pytest.mark.parametrize("name", ESCAPES)
def test_an_escape_is_caught_and_named(name: str) -> None:
    escape, named = ESCAPES[name]
    with pytest.raises(NotSimulated, match=rf"^bot asked for .*{named}"):
        run(escape)
    assert not Path("written-by-a-simulation").exists()


def test_an_escape_ends_the_run_even_where_it_is_swallowed() -> None:
    def swallow() -> str:
        try:
            time.sleep(1)
        except RuntimeError:
            return "went on"
        return "slept"

    with pytest.raises(NotSimulated, match=r"time\.sleep"):
        run(swallow)


def test_the_lab_and_other_threads_may(tmp_path: Path) -> None:
    loop, told = SimLoop(), []

    async def lab() -> None:
        (tmp_path / "lab").write_text("yes")
        thread = threading.Thread(target=lambda: told.append((time.time(), socket.socket())))
        thread.start()
        thread.join()

    with stand_ins(loop, seed=0), Guard().watching():
        loop.run(lab())
    loop.close()
    ((at, sock),) = told
    assert at > 1_000_000_000
    assert isinstance(sock, REAL_SOCKET)
    sock.close()


def test_importing_works() -> None:
    def imports() -> str:
        sys.modules.pop("colorsys", None)
        import colorsys

        return colorsys.__name__

    assert run(imports) == "colorsys"


def test_a_process_has_its_own_folder(tmp_path: Path) -> None:
    def write_own() -> str:
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "own").write_text("mine")
        return (tmp_path / "deep" / "own").read_text()

    assert run(write_own, folder=tmp_path) == "mine"
    with pytest.raises(NotSimulated, match="own"):
        run(lambda: (tmp_path / "deep" / "own").write_text("not mine"))


def test_a_killed_process_lets_go_of_its_database(tmp_path: Path) -> None:
    held = []

    def leave_open() -> None:
        database = sqlite3.connect(tmp_path / "rows.db", isolation_level=None)
        database.execute("CREATE TABLE rows (n)")
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO rows VALUES (1)")
        held.append(database)

    run(leave_open, folder=tmp_path)
    after = sqlite3.connect(tmp_path / "rows.db", timeout=0, isolation_level=None)
    assert after.execute("SELECT count(*) FROM rows").fetchone() == (0,)
    after.execute("INSERT INTO rows VALUES (2)")
    after.close()


def test_the_clocks_are_the_loops() -> None:
    def clocks() -> tuple[float, ...]:
        return time.monotonic(), time.perf_counter(), time.monotonic_ns() / 1e9, time.time()

    assert run(clocks) == (1.5, 1.5, 1.5, 1001.5)


def test_chance_is_the_seeds() -> None:
    def draws() -> tuple[object, ...]:
        return random.random(), os.urandom(4), uuid.uuid4(), random.SystemRandom().random()

    random.seed(1)
    before = random.getstate()
    assert run(draws, seed=3) == run(draws, seed=3)
    assert run(draws, seed=3) != run(draws, seed=4)
    assert random.getstate() == before


def test_everything_is_put_right() -> None:
    names = ((time, "time"), (time, "sleep"), (os, "urandom"), (socket, "socket"))
    before = [getattr(owner, name) for owner, name in names]
    assert type(run(lambda: socket.socket())) is SimSocket
    with pytest.raises(NotSimulated):
        run(lambda: time.sleep(1))
    assert [getattr(owner, name) for owner, name in names] == before
    time.sleep(0)
