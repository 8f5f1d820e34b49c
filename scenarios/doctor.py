"""What this machine has of the parts that the lab can use, and how to get the others."""

from __future__ import annotations

import platform
import shutil
import socket
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

PROBE_S_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Part:
    """One part: `found` is its version or place, empty where it is missing."""

    name: str
    found: str
    required: bool
    used_for: str
    remedy: str


def examine() -> tuple[Part, ...]:
    """Looks for every part; starts nothing that outlives the look."""
    return (
        _python(),
        Part("SQLite", sqlite3.sqlite_version, True, "outbox and store", ""),
        *(_library(name) for name in ("httpx", "aiohttp", "starlette", "uvicorn", "msgspec")),
        _loopback(),
        _signals(),
        _program(
            "toxiproxy-server", "faults by a real Toxiproxy", "go install, or a release of 2.12"
        ),
        _docker(),
        _program("postgres", "a PostgreSQL store", "your system's package postgresql"),
    )


def _python() -> Part:
    good = sys.version_info >= (3, 11)
    found = platform.python_version() if good else ""
    return Part("Python >= 3.11", found, True, "everything", "install Python 3.11 or later")


def _library(name: str) -> Part:
    try:
        found = version(name)
    except PackageNotFoundError:
        found = ""
    return Part(name, found, True, "core, simulator or worlds", "make setup")


def _loopback() -> Part:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", 0))
            found = "127.0.0.1"
        except OSError:
            found = ""
    return Part("loopback", found, True, "world local", "let this user listen on 127.0.0.1")


def _signals() -> Part:
    import signal

    found = "SIGKILL, SIGSTOP" if hasattr(signal, "SIGSTOP") else ""
    return Part("signals", found, True, "faults on processes", "run on Linux or macOS")


def _program(name: str, used_for: str, remedy: str) -> Part:
    return Part(name, shutil.which(name) or "", False, used_for, remedy)


def _docker() -> Part:
    found = ""
    if shutil.which("docker"):
        asked = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=PROBE_S_MAX,
            check=False,
        )
        found = asked.stdout.strip() if asked.returncode == 0 else ""
    return Part("container engine", found, False, "world docker", "install and start Docker")
