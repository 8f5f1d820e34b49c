"""Reading a target's name: which client and which server are under test, and how each is started.

Clients: `reference`; `FILE.py:function` or `module:function` with the helper's signature, or
`FOLDER:module:function` for a module that is found in that folder only;
`cmd:ARGV`, any program that speaks the JSON-lines protocol on its standard streams.
Servers: `simulated`; `FILE.py:factory` or `module:factory`, an ASGI application's factory;
`cmd:ARGV` with `{port}`, `{data_dir}`, `{broker_url}`, `{registry_url}`; `http://...`, one that
runs already.
"""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from scenarios.targets.location import Location, locate
from scenarios.targets.location import TargetRefused as TargetRefused

Level = Literal["durable", "helper"]
"""What a client owes: `durable` gives nothing up; `helper` rides out 5 s and is honest after."""


@dataclass(frozen=True, slots=True)
class ReferenceClient:
    """The core of this repository, in a service process with a durable outbox."""

    name: str = "reference"
    level: Level = "durable"


@dataclass(frozen=True, slots=True)
class FunctionClient:
    """A Python function with the helper's signature, run in a process of its own. Its name is its
    location, so that it is the same function wherever a case is played again."""

    name: str
    location: str
    level: Level = "helper"


@dataclass(frozen=True, slots=True)
class CommandClient:
    """Any program that speaks the JSON-lines protocol."""

    name: str
    argv: tuple[str, ...]
    level: Level = "helper"


ClientTarget = ReferenceClient | FunctionClient | CommandClient


@dataclass(frozen=True, slots=True)
class SimulatedServer:
    """The simulated DTMS API of this repository."""

    name: str = "simulated"
    takes_broker: bool = True
    takes_registry: bool = True
    has_lab: bool = True
    restartable: bool = True


@dataclass(frozen=True, slots=True)
class FactoryServer:
    """`factory(data_dir)`, `factory(data_dir, broker_url)` or `factory(data_dir, broker_url,
    registry_url)`, called at every start; URLs are empty in scenarios that do without."""

    name: str
    location: str
    takes_broker: bool
    takes_registry: bool = False
    has_lab: bool = False
    restartable: bool = True


@dataclass(frozen=True, slots=True)
class CommandServer:
    """A program that the lab starts, kills and restarts."""

    name: str
    argv: tuple[str, ...]
    takes_broker: bool
    takes_registry: bool = False
    has_lab: bool = False
    restartable: bool = True


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that runs already: the lab can neither start nor kill it."""

    name: str
    host: str
    port: int
    takes_broker: bool = False
    takes_registry: bool = False
    has_lab: bool = False
    restartable: bool = False


ServerTarget = SimulatedServer | FactoryServer | CommandServer | RunningServer


def client_target(name: str) -> ClientTarget:
    """The client called `name`. Raises `TargetRefused`."""
    if name == "reference":
        return ReferenceClient()
    if name.startswith("cmd:"):
        return CommandClient(name, _argv(name))
    location = str(_location(name, "client")[0])
    return FunctionClient(location, location)


def server_target(name: str) -> ServerTarget:
    """The server called `name`. Raises `TargetRefused`."""
    if name == "simulated":
        return SimulatedServer()
    if name.startswith("cmd:"):
        argv = _argv(name)
        if not any("{port}" in word for word in argv):
            raise TargetRefused(f"{name}: a server command needs {{port}}, where it must listen")
        takes = [any(what in word for word in argv) for what in ("{broker_url}", "{registry_url}")]
        return CommandServer(name, argv, *takes)
    if name.startswith(("http://", "https://")):
        return _running(name)
    location, parameters = _location(name, "server")
    place = str(location)
    return FactoryServer(place, place, takes_broker=parameters >= 2, takes_registry=parameters >= 3)


def _running(name: str) -> RunningServer:
    parts = urlsplit(name)
    if parts.scheme != "http" or parts.hostname not in {"127.0.0.1", "localhost"}:
        raise TargetRefused(f"{name}: the lab sends traffic only to http:// on loopback")
    try:
        port = parts.port or 80
    except ValueError as error:
        raise TargetRefused(f"{name}: {error}") from error
    return RunningServer(name, "127.0.0.1", port)


def _argv(name: str) -> tuple[str, ...]:
    try:
        argv = tuple(shlex.split(name.removeprefix("cmd:")))
    except ValueError as error:
        raise TargetRefused(f"{name}: {error}") from error
    if not argv:
        raise TargetRefused("cmd: needs a program to run, as in cmd:./client --flag")
    return argv


def _location(name: str, kind: str) -> tuple[Location, int]:
    """Where the function is, and how many parameters it takes by position.

    The source is read, not run: a target's code runs only in a process of its own.
    """
    place, _, function = name.rpartition(":")
    if not place or not function.isidentifier():
        known = "reference" if kind == "client" else "simulated"
        raise TargetRefused(
            f"{name!r} is no {kind} target; use {known}, FILE.py:function, module:function "
            "or cmd:ARGV"
        )
    location = locate(name)
    return location, _parameters(location.source, function, name)


def _parameters(path: Path, function: str, name: str) -> int:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise TargetRefused(f"{name}: cannot be read: {error}") from error
    for node in _statements(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
            return len(node.args.posonlyargs) + len(node.args.args)
        if _binds(node, function):
            return 1
    raise TargetRefused(f"{name}: {path.name} defines no {function}")


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Those of the module itself, also under its `if`, `try` and `with`."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            for name in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(node, name, ()))
            for handler in getattr(node, "handlers", ()):
                yield from _statements(handler.body)


def _binds(node: ast.stmt, function: str) -> bool:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(t, ast.Name) and t.id == function for t in targets)
    if isinstance(node, ast.ClassDef):
        return node.name == function
    if isinstance(node, ast.ImportFrom | ast.Import):
        return any((alias.asname or alias.name) in (function, "*") for alias in node.names)
    return False
