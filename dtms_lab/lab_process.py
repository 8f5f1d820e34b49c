"""The lab as a process of its own, asked by JSON lines; nothing of it is imported here.

Projects that use the plugin have packages called `core` or `tests` themselves, so that the lab's
must not come into their process.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import IO, Any

__tracebackhide__ = True

PACKAGES = Path(__file__).resolve().parents[1]
"""The folder that holds the lab's packages."""
ANSWER_S_MAX = 120.0
"""How long an answer may take where nothing else is said."""
END_S_MAX = 20.0
TAIL_BYTES = 2_000
CHUNK_BYTES = 65_536
_RUN = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from scenarios.stand.serve import main; main()"
)
_COMMAND = (sys.executable, "-P", "-c", _RUN, str(PACKAGES))
_NOT_FOR_THE_LAB = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "PYTHONWARNINGS")
"""What is meant for the tests' own process: a lab that is measured or warned would be slow."""


class LabRefused(ValueError):
    """The test asks for what there is not, or makes no sense; the message says what would."""


class LabFailed(Exception):
    """The lab could not do its part; says nothing about what is under test."""


class LabProcess:
    """Started at the first request; ends with `close`, with this process, or when its input ends.

    May be asked from several threads at a time: whoever waits reads for all. There is no thread of
    its own, so that tests may fork."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._folder = ""
        self._owner = 0
        self._numbers = count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        self._waiting: set[int] = set()
        self._rest = b""
        self._lock = threading.Condition()
        self._reading = False
        self._gone = False
        """Whether it was seen to have closed its streams; it may take a moment to end."""

    def ask(self, do: str, timeout_s: float = ANSWER_S_MAX, **values: object) -> Any:
        """What came of one request. Raises `LabRefused` and `LabFailed`."""
        number = next(self._numbers)
        try:
            line = json.dumps({"id": number, "do": do, **values}, allow_nan=False).encode() + b"\n"
        except (TypeError, ValueError) as error:
            raise LabRefused(f"values must be such as JSON has: {error}") from error
        with self._lock:
            process = self._running()
            self._waiting.add(number)
            self._write(process, line)
        try:
            answer = self._answer(process, number, time.monotonic() + timeout_s)
        except BaseException:
            self._give_up(process, number)
            raise
        if answer is None:
            self._give_up(process, number)
            raise LabFailed(
                f"the lab did not answer within {timeout_s:.0f} s. {self._last_words()}"
            )
        if "refused" in answer:
            raise LabRefused(answer["refused"])
        if "broke" in answer:
            raise LabFailed(answer["broke"])
        return answer["done"]

    @property
    def ended(self) -> bool:
        """Whether it was started and has died."""
        return self._process is not None and (self._gone or self._process.poll() is not None)

    def close(self) -> None:
        """Ends the process and waits for it; nothing happens where there is none."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        if self._log is not None:
            self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._owner != os.getpid():
            raise LabFailed("a forked process cannot use the lab of its parent")
        if self._process is None:
            self._owner = os.getpid()
            self._folder = tempfile.mkdtemp(prefix="dtms-lab-")
            self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
            self._process = subprocess.Popen(
                [*_COMMAND, str(self._owner), self._folder, *own_folders()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=_environ(),
                start_new_session=True,
            )
        return self._process

    def _write(self, process: subprocess.Popen[bytes], line: bytes) -> None:
        assert process.stdin is not None
        try:
            process.stdin.write(line)
            process.stdin.flush()
        except OSError as error:
            self._gone = True
            raise LabFailed(f"the lab has ended. {self._last_words()}") from error

    def _answer(
        self, process: subprocess.Popen[bytes], number: int, deadline_s: float
    ) -> dict[str, Any] | None:
        """None where the time is up. Whoever comes first reads; the others wait for the reader."""
        while True:
            with self._lock:
                if number in self._answers:
                    self._waiting.discard(number)
                    return self._answers.pop(number)
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    return None
                if self._reading:
                    self._lock.wait(left_s)
                    continue
                self._reading = True
            try:
                chunk = _read(process, left_s)
                if chunk is not None:
                    self._take(chunk)
            finally:
                with self._lock:
                    self._reading = False
                    self._lock.notify_all()

    def _take(self, chunk: bytes) -> None:
        if not chunk:
            self._gone = True
            raise LabFailed(f"the lab has ended. {self._last_words()}")
        with self._lock:
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                answer = json.loads(line)
                if answer["id"] in self._waiting:
                    self._answers[answer["id"]] = answer

    def _give_up(self, process: subprocess.Popen[bytes], number: int) -> None:
        """Nobody waits for that answer any more."""
        with self._lock:
            self._waiting.discard(number)
            self._answers.pop(number, None)
            with contextlib.suppress(LabFailed):
                self._write(process, json.dumps({"do": "cancel", "of": number}).encode() + b"\n")

    def _last_words(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - TAIL_BYTES))
        return self._log.read().decode(errors="replace").strip()


def own_folders() -> Iterable[str]:
    """Where the project's own modules are: what stands on the path besides interpreter and lab."""
    library = sysconfig.get_path("stdlib")
    for folder in map(Path, map(os.path.abspath, sys.path)):
        installed = folder.is_relative_to(library) or {"site-packages", "dist-packages"} & {
            *folder.parts
        }
        if not installed and folder != PACKAGES and folder.is_dir():
            yield str(folder)


def _read(process: subprocess.Popen[bytes], timeout_s: float) -> bytes | None:
    """What the process has written by now; None where nothing came in time."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(timeout_s):
            return None
    return os.read(process.stdout.fileno(), CHUNK_BYTES)


def _environ() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name not in _NOT_FOR_THE_LAB and not name.startswith("COV_CORE_")
    }
