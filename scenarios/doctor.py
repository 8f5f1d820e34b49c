"""What this machine has of the parts that the lab can use, and how to get the others."""

from __future__ import annotations

import platform
import socket
import sqlite3
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from chaos.docker.engine import version as version_of_engine
from chaos.postgres.programs import REMEDY, find_programs
from chaos.toxiproxy import binary
from scenarios.worlds.docker.session import HOW_TO_GET_ONE


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
        _toxiproxy(),
        _postgres(),
        _psycopg(),
        Part("Docker engine", version_of_engine(), False, "world docker", HOW_TO_GET_ONE),
    )


INSTALLABLE = ("toxiproxy",)


def install(name: str) -> str:
    """Gets a part that the lab can get itself, and says where it is. Raises `KeyError` with a
    sentence for another, `ServerMissing` with what to do where it cannot."""
    if name not in INSTALLABLE:
        known = ", ".join(INSTALLABLE)
        raise KeyError(f"--install {name}: there is no such part; there are: {known}")
    return f"Toxiproxy's server is {binary.install()}"


def _toxiproxy() -> Part:
    found = binary.find()
    return Part(
        "Toxiproxy",
        "" if found is None else str(found),
        False,
        "toxics by the real server; the embedded one stands in",
        f"get {binary.WAYS}",
    )


def _python() -> Part:
    good = sys.version_info >= (3, 11)
    found = platform.python_version() if good else ""
    return Part("Python >= 3.11", found, True, "everything", "install Python 3.11 or later")


def _library(name: str) -> Part:
    return Part(name, _version(name), True, "core, simulator or worlds", "make setup")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _postgres() -> Part:
    programs = find_programs()
    found = "" if programs is None else str(programs)
    return Part("PostgreSQL", found, False, "a database server to break", REMEDY)


def _psycopg() -> Part:
    used_for = "store and outbox in PostgreSQL"
    return Part("psycopg", _version("psycopg"), False, used_for, "pip install 'dtms-lab[postgres]'")


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
