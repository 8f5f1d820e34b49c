"""The same seed does the same in the same order: nothing hangs on addresses or on real time."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest

import chaos.faults
from chaos.faults import Refuse, Reset
from chaos.proxy import Accept, FaultProxy

ROOT = Path(chaos.faults.__file__).parent.parent
SOURCES = [(path, ast.parse(path.read_text())) for path in sorted(ROOT.rglob("*.py"))]
CONNECTIONS = 60
REFUSED_MODULES = {"random", "time", "uuid", "secrets", "datetime"}
REAL = {ROOT / "postgres" / "server.py": {"time", "random"}}
"""What waits for a process of this machine's, and is in no simulation."""


class Port:
    """Connections come when the test says so."""

    def __init__(self) -> None:
        self.accept: Accept | None = None

    def reserve(self, host: str, number: int) -> int:
        return 1

    async def listen(self, accept: Accept) -> None:
        self.accept = accept

    def close(self) -> None:
        self.accept = None

    def release(self) -> None:
        self.accept = None


class Socket(asyncio.Transport):
    """A client's end; `ended` learns its number when it is reset."""

    def __init__(self, number: int, ended: list[int], protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.number = number
        self.ended = ended
        self.protocol = protocol

    def abort(self) -> None:
        self.ended.append(self.number)
        asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def close(self) -> None:
        self.abort()

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def write_eof(self) -> None:
        pass


async def crowd(proxy: FaultProxy, port: Port, upstream: int) -> list[int]:
    """Many connections to the proxy, made where memory happens to be free; who ends, in order."""
    await proxy.link("bot->dtms", "127.0.0.1", upstream)
    assert port.accept is not None
    ended: list[int] = []
    ballast: list[bytearray | None] = [bytearray(900) for _ in range(2000)]
    for hole in Random(1).sample(range(2000), 1000):
        ballast[hole] = None
    for number in range(CONNECTIONS):
        protocol = port.accept()
        protocol.connection_made(Socket(number, ended, protocol))
    return ended


@pytest.mark.parametrize("fault", [Refuse("*->dtms"), Reset("*->dtms")], ids=["cut", "reset"])
async def test_connections_are_told_of_a_fault_in_the_order_in_which_they_came(
    server: Any, fault: Refuse | Reset
) -> None:
    port = Port()
    async with FaultProxy(ports=lambda: port) as proxy:
        ended = await crowd(proxy, port, server.port)
        await fault.inflict(proxy)
        await asyncio.sleep(0.01)
        assert ended == list(range(CONNECTIONS))


@pytest.mark.parametrize(("path", "tree"), SOURCES, ids=[path.stem for path, _tree in SOURCES])
def test_nothing_hangs_on_addresses_or_on_real_time_and_chance(path: Path, tree: ast.AST) -> None:
    """A set of objects is in the order of their addresses, one of words in that of the process's
    hash seed: what may be gone through is a dict. Fixed sets are for asking what is in them."""
    refused = REFUSED_MODULES - REAL.get(path, set())
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                assert not refused & {name.name for name in names}, path
            case ast.ImportFrom(module=module):
                assert module not in refused, path
            case ast.Subscript(value=ast.Name(id=name)):
                assert name != "set", f"{path}:{node.lineno}"
            case ast.Call(func=ast.Name(id=name)):
                assert name not in ("id", "hash"), f"{path}:{node.lineno}"
            case ast.For(iter=gone_through) | ast.comprehension(iter=gone_through):
                assert not isinstance(gone_through, ast.Set | ast.SetComp), path
