"""Where batches are played: processes of this machine, or a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from typing import Any
from weakref import WeakSet

from scenarios.exploration.batch import begin_work
from scenarios.import_path import lab_environ

CONNECT_S_MAX = 10.0


class ClusterRefused(OSError):
    """The cluster cannot be used; the message says why and what to do."""


@contextmanager
def processes(count: int) -> Iterator[Executor]:
    """So many worker processes. When the block is left they are killed, whatever they do: nobody
    waits any more for what it would come to."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["scenarios.exploration.batch"])
    _start_their_parent()
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=begin_work)
    try:
        yield pool
    finally:
        # No future is cancelled by itself: the pool's own thread would stumble over it.
        workers = list((pool._processes or {}).values())
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.join()
        pool.shutdown(wait=True, cancel_futures=True)


def _start_their_parent() -> None:
    """Deaf to Ctrl-C from its first moment, not only once it has imported everything: the lab ends
    it. What is blocked here meanwhile comes afterwards."""
    # Begun first, for at its own start it lets through what is blocked here.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """A Dask cluster's workers, which have this project installed, and how many there are.

    Raises `ClusterRefused`.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ClusterRefused(
            "--cluster needs Dask: install dtms-lab with its extra, dtms-lab[cluster]"
        ) from error
    try:
        client: Any = Client(address, timeout=CONNECT_S_MAX)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterRefused(f"--cluster {address}: {error}") from error
    try:
        threads = sum(client.nthreads().values())
        if not threads:
            raise ClusterRefused(f"--cluster {address}: it has no workers")
        apart = Apart(client.get_executor(pure=False))
        try:
            yield apart, threads
        finally:
            apart.take_back()
    finally:
        client.close()


class Apart(Executor):
    """Another executor, each of whose jobs runs in a fresh process: a simulation stops the clock of
    the process it runs in, and a cluster's worker has other things to do by it."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._submitted: WeakSet[Future[Any]] = WeakSet()

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = self._executor.submit(run_apart, pickle.dumps((fn, args, kwargs)))
        self._submitted.add(future)
        return future

    def take_back(self) -> None:
        """Nothing begins any more that has not yet."""
        for future in tuple(self._submitted):
            future.cancel()


def run_apart(job: bytes) -> Any:
    """The job's result, from a process of its own. Raises what it raises."""
    done = subprocess.run(
        [sys.executable, "-m", "scenarios.exploration.apart"],
        input=job,
        env=lab_environ(os.environ),
        stdout=subprocess.PIPE,
        check=True,
    )
    error, result = pickle.loads(done.stdout)
    if error is not None:
        raise error
    return result


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
