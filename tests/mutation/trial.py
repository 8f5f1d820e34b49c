"""One mutant put to the test: its tests run once, in a process that has it for the module.

Processes are forked from one that has imported what tests need of other people's code and nothing
of ours, so that each imports the mutant anew.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from time import monotonic
from types import ModuleType

import pytest

CPU_S_MAX = 30
"""Of one trial; a loop that a mutant made endless is ended by it."""
WALL_S_MAX = 300.0
"""Of one trial, for a mutant that waits for ever."""
MEMORY_BYTES_MAX = 2 * 2**30
PRELOADED = ("pytest", "pytest_asyncio.plugin", "pytest_timeout", "hypothesis.strategies", "httpx",
             "aiohttp", "prometheus_client", "tests.mutation.trial")  # fmt: skip
PYTEST = ("-x", "-q", "-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-p",
          "pytest_timeout", "-W", "ignore::pytest.PytestAssertRewriteWarning")  # fmt: skip
PYTEST_STATUS = 64
"""Added to pytest's exit status, so that no other end of a process is taken for one."""


class Outcome(StrEnum):
    """TIMED_OUT counts as killed; ERROR says that the trial itself went wrong."""

    KILLED = "killed"
    SURVIVED = "survived"
    TIMED_OUT = "timed_out"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Trial:
    """The module `name` shall have this text while the tests run, from the folder `root`."""

    name: str
    source: str
    tests: tuple[str, ...]
    root: str
    cpu_s_max: int = CPU_S_MAX


def outcomes(trials: Sequence[Trial], jobs: int) -> Iterator[tuple[int, Outcome]]:
    """What came of each trial, by its place in the order given, as it comes; `jobs` at a time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    waiting = iter(enumerate(trials))
    running: dict[int, tuple[int, BaseProcess, float]] = {}
    try:
        while True:
            for index, trial in waiting if len(running) < jobs else ():
                process = context.Process(target=run, args=(trial,), daemon=True)
                process.start()
                running[process.sentinel] = (index, process, monotonic() + WALL_S_MAX)
                if len(running) == jobs:
                    break
            if not running:
                return
            first_end = min(ends_at for _, _, ends_at in running.values())
            ended = wait(list(running), timeout=max(0.0, first_end - monotonic()))
            for sentinel in [s for s in running if s in ended or running[s][2] <= monotonic()]:
                index, process, _ = running.pop(sentinel)
                if sentinel not in ended:
                    process.kill()
                    process.join()
                    yield index, Outcome.TIMED_OUT
                else:
                    process.join()
                    yield index, outcome_of(process.exitcode)
    finally:
        for _, process, _ in running.values():
            process.kill()
            process.join()


def outcome_of(exitcode: int | None) -> Outcome:
    """What an exit status of pytest, or the signal that ended it, says of the mutant."""
    if exitcode == -signal.SIGXCPU:
        return Outcome.TIMED_OUT
    return _SAID.get((exitcode or 0) - PYTEST_STATUS, Outcome.ERROR)


def run(trial: Trial) -> None:
    """Ends the process with pytest's exit status."""
    if trial.name in sys.modules:
        raise RuntimeError(f"{trial.name} is here already; what forks may not have imported it")
    resource.setrlimit(resource.RLIMIT_CPU, (trial.cpu_s_max, trial.cpu_s_max + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    # Ctrl-C is for who asked for the trials; tests/conftest.py would have it heard here too.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "HYPOTHESIS_PROFILE": "mutation"}
    os.chdir(trial.root)
    sys.path.insert(0, trial.root)
    sys.dont_write_bytecode = True
    sys.meta_path.insert(0, _InPlaceOf(trial.name, trial.source))
    sys.exit(PYTEST_STATUS + pytest.main([*PYTEST, *trial.tests]))


# A mutant that cannot be imported interrupts the collection, or, where a conftest imports it, makes
# an error of usage.
_SAID = {
    pytest.ExitCode.OK: Outcome.SURVIVED,
    pytest.ExitCode.TESTS_FAILED: Outcome.KILLED,
    pytest.ExitCode.INTERRUPTED: Outcome.KILLED,
    pytest.ExitCode.USAGE_ERROR: Outcome.KILLED,
}


class _InPlaceOf(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds one module, and has the mutant's text for it."""

    def __init__(self, name: str, source: str) -> None:
        self._name = name
        self._source = source

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None):
        if fullname != self._name:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin="a mutant")

    def get_source(self, fullname: str) -> str:
        return self._source
