"""Workers: processes of this machine, or a cluster's; one that dies is told, and nobody hangs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from scenarios.exploration.search import Limits, Tally, explore
from scenarios.exploration.seedling import Seedling
from scenarios.exploration.workers import Apart, ClusterRefused, cluster, processes, run_apart
from tests.scenarios.exploration.conftest import Inline

ROOT = Path(__file__).parents[3]
GOOD = (Seedling("registered-again", 0),)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt_is_ignored() -> bool:
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def tell_nobody(_tally: Tally) -> None:
    """Whoever asks is told at the end."""


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def test_jobs_run_in_processes_of_their_own() -> None:
    with processes(1) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()


def test_a_worker_leaves_ctrl_c_to_the_lab() -> None:
    with processes(1) as pool:
        assert pool.submit(interrupt_is_ignored).result()


def test_workers_are_gone_when_the_block_is_left() -> None:
    with processes(2) as pool:
        numbers = {pool.submit(os.getpid).result() for _ in range(4)}
    assert not any(Path(f"/proc/{number}").exists() for number in numbers)


def test_who_leaves_the_block_waits_for_nothing_that_runs_or_waits(capfd) -> None:
    began = time.monotonic()
    with processes(2) as pool:
        pool.submit(os.getpid).result()
        futures = [pool.submit(time.sleep, 60) for _ in range(8)]
    assert time.monotonic() - began < 30
    assert all(future.done() for future in futures)
    assert capfd.readouterr().err == ""


def test_jobs_apart_that_have_not_begun_are_taken_back() -> None:
    class Idle(Inline):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            return Future()

    executor = Apart(Idle())
    futures = [executor.submit(os.getpid) for _ in range(3)]
    executor.take_back()
    assert all(future.cancelled() for future in futures)


def test_a_worker_that_dies_is_an_error() -> None:
    with processes(1) as pool, pytest.raises(BrokenProcessPool):
        pool.submit(die).result()


def test_a_search_whose_worker_dies_ends_and_says_so() -> None:
    with processes(1) as pool:
        first = pool.submit(os.getpid).result()

        def kill_the_worker(tally: Tally) -> None:
            if tally.episodes:
                os.kill(first, signal.SIGKILL)

        tally = explore(pool, 1, GOOD, 1, Limits(), kill_the_worker)
    assert "terminated abruptly" in tally.lost
    assert tally.episodes > 0


def test_processes_find_what_one_would() -> None:
    with processes(2) as pool:
        tally = explore(pool, 2, GOOD, 1, Limits(48), tell_nobody)
    alone = explore(Inline(), 2, GOOD, 1, Limits(48), tell_nobody)
    assert tally.episodes == alone.episodes == 48
    assert tally.failed == alone.failed


def test_a_job_apart_is_done_in_a_fresh_process() -> None:
    executor: Executor = Apart(Inline())
    assert executor.submit(os.getpid).result() != os.getpid()


def test_what_a_job_apart_raises_is_raised_here() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        Apart(Inline()).submit(int, "x").result()


def test_a_job_apart_that_dies_is_an_error() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        Apart(Inline()).submit(os.abort).result()


def test_what_is_no_job_is_an_error() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        run_apart(b"rubbish")


def test_without_dask_a_sentence_says_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterRefused, match=r"--cluster needs Dask: install .*\[cluster\]"):
        cluster("tcp://127.0.0.1:1").__enter__()


@pytest.fixture
def scheduler(tmp_path: Path, free_port: int) -> Iterator[str]:
    """The address of a Dask cluster with one worker, of processes of its own."""
    address = f"tcp://127.0.0.1:{free_port}"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
    command += ["--port", str(free_port), "--no-dashboard", "--no-show"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
    worker += ["--nthreads", "2", "--no-dashboard", "--local-directory", str(tmp_path / "dask")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [
        subprocess.Popen(words, cwd=tmp_path, env=environment, **quiet)  # type: ignore[call-overload]
        for words in (command, worker)
    ]
    try:
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def lab(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scenarios", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=100,
    )


def of_the_lab() -> set[int]:
    """Processes that play a job apart."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if b"scenarios.exploration.apart" in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
        except OSError:
            continue
    return found


def test_a_cluster_explores_and_leaves_nothing_behind(scheduler: str, tmp_path: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        words = ["explore", "registered-again", "--fidelity", "message", "--no-swarm"]
        ended = lab(tmp_path, *words, "--cluster", scheduler, "--runs", "32", "--out", "out")
        if ended.returncode != 2 or time.monotonic() > deadline:
            break
        # The cluster takes a moment to come up; until then it is refused in words.
        assert "dtms-lab: --cluster" in ended.stderr
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "32 episodes (32 message)" in ended.stdout
    assert (tmp_path / "out" / "summary.json").exists()
    assert of_the_lab() == set()


def test_an_address_where_nobody_is_gets_one_sentence(tmp_path: Path, free_port: int) -> None:
    address = f"tcp://127.0.0.1:{free_port}"
    ended = lab(tmp_path, "explore", "--cluster", address, "--runs", "8")
    assert ended.returncode == 2
    assert f"dtms-lab: --cluster {address}: " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address", ["nowhere", "tcp://", "http://127.0.0.1:1", "tcp://127.0.0.1:x"]
)
def test_what_is_no_address_gets_one_sentence(tmp_path: Path, address: str) -> None:
    ended = lab(tmp_path, "explore", "--cluster", address, "--runs", "8")
    assert ended.returncode == 2
    assert f"dtms-lab: --cluster {address}: " in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
