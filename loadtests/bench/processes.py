"""Starting the processes that a benchmark measures, and ending them whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import msgspec

START_S_MAX = 20.0


@contextmanager
def started(
    module: str,
    arguments: Sequence[str],
    *,
    cpu: int | None = None,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m module`, on one processor where `cpu` is given; killed on leaving."""

    def pin() -> None:
        if cpu is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {cpu})

    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stderr=subprocess.PIPE,
        env={**os.environ, "DTMS_LAB_TOKEN": "bench", **environ},
        preexec_fn=pin,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def event(process: subprocess.Popen[bytes], name: str) -> dict[str, object]:
    """The next log line with this event. Raises `RuntimeError` where the process ends first."""
    assert process.stderr is not None
    for line in process.stderr:
        try:
            logged = msgspec.json.decode(line, type=dict[str, object])
        except msgspec.DecodeError:
            continue
        if logged.get("event") == name:
            return logged
    raise RuntimeError(f"the process ended before it logged {name!r}")


def simulator(folder: Path, *more: str) -> list[str]:
    """The arguments of a simulated DTMS API on a free port."""
    return ["--port", "0", "--data-dir", str(folder), "--no-rate-limit", *more]


def cpus() -> tuple[int | None, int | None]:
    """Two processors, one for the measured and one for the measuring; None where there is one."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    there = sorted(os.sched_getaffinity(0))
    return (there[0], there[1]) if len(there) > 1 else (None, None)
