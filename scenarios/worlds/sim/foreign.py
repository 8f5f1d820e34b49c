"""Targets that are not of this repository, in simulated processes. They run unmodified."""

from __future__ import annotations

import ast
import asyncio
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scenarios.targets import asgi_server, shim
from scenarios.targets.location import locate
from scenarios.targets.spec import (
    ClientTarget,
    CommandClient,
    CommandServer,
    FactoryServer,
    FunctionClient,
    RunningServer,
    ServerTarget,
)
from scenarios.worlds.world import EnvironmentFailed
from simulator.deterministic.process import ProcessKilled

PLAIN = "plain functions run in local: what blocks cannot run in virtual time"


def why_not_simulated(
    client: ClientTarget, server: ServerTarget, fidelity: str | None = "socket"
) -> str:
    """Why these targets cannot run in the world `sim` at that fidelity (None: at the one that suits
    them), in a sentence; empty where they can."""
    if isinstance(client, CommandClient):
        return f"{client.name}: programs run in local; the simulation runs Python functions"
    if isinstance(client, FunctionClient) and _is_plain(client.location):
        return f"{client.name}: {PLAIN}"
    if isinstance(server, CommandServer):
        return f"{server.name}: programs run in local; the simulation runs ASGI applications"
    if isinstance(server, RunningServer):
        return f"{server.name}: a server that runs already lives in real time, outside of any sim"
    if fidelity not in {None, "socket"} and are_foreign(client, server):
        return f"{client.name} with {server.name} needs fidelity socket"
    return ""


def are_foreign(client: ClientTarget, server: ServerTarget) -> bool:
    """Whether either is not of this repository, and so needs sockets."""
    return isinstance(client, FunctionClient) or isinstance(server, FactoryServer)


class FunctionService:
    """A client function with the helper's signature, as the driver asks it."""

    def __init__(
        self, function: Callable[..., Any], api_url: str, exits: Callable[[SystemExit], None]
    ) -> None:
        """`exits` ends the process. Raises `EnvironmentFailed` for a plain function."""
        if not inspect.iscoroutinefunction(function):
            raise EnvironmentFailed(PLAIN)
        self.booted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.booted.set_result(None)
        self._function = function
        self._api_url = api_url
        self._exits = exits

    async def answer(self, request: Mapping[str, object]) -> dict[str, object]:
        """The answer to one request of the protocol, as the shim gives it in a real process."""
        try:
            return await shim.told(self._function, {**request, "api_url": self._api_url}, None)
        except SystemExit as ended:
            self._exits(ended)
            raise ProcessKilled from ended


def exit_status(ended: SystemExit) -> int:
    """As the interpreter makes it of what `sys.exit` was given."""
    code = ended.code
    return code if isinstance(code, int) else int(code is not None)


def application(
    factory: Callable[..., Any], data_dir: Path, broker_url: str, registry_url: str
) -> Any:
    """What a server's factory makes."""
    return factory(*asgi_server.arguments(factory, str(data_dir), broker_url, registry_url))


def _is_plain(location: str) -> bool:
    """Whether the source defines it with `def`. It is not run for this."""
    found = locate(location)
    tree = ast.parse(found.source.read_text(encoding="utf-8"))
    return any(
        isinstance(node, ast.FunctionDef) and node.name == found.function for node in tree.body
    )
