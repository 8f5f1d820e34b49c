"""Real containers: a small HTTP server in each, which eats memory when told to."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import TypeVar
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import pytest

from chaos.docker.container import Container
from chaos.docker.engine import Engine
from chaos.docker.left_behind import remove_run
from chaos.docker.owner import Owner
from scenarios.worlds.docker.base_image import base_image
from scenarios.worlds.ports import Ports
from tests.engine import engine_or_skip

SERVER = """
import signal, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
starts = Path("/tmp/starts")
starts.write_text((starts.read_text() if starts.exists() else "") + "I")
eaten = []
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/eat":
            while True:
                eaten.append(b"x" * (1 << 20))
        if self.path == "/work":
            began, used = time.monotonic(), time.process_time()
            while time.monotonic() < began + 0.7: pass
            body = str((time.process_time() - used) / (time.monotonic() - began))
        else:
            body = starts.read_text()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
time.sleep(float(sys.argv[2]))
ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
"""
DIRECTLY = build_opener(ProxyHandler({}))
READY_S_MAX = 20.0
POLL_S = 0.05

T = TypeVar("T")


@dataclass(frozen=True)
class Running:
    """A container that was started, and where its server is."""

    container: Container
    port: int

    async def get(self, path: str = "/", timeout_s: float = 2.0) -> str | None:
        """The body of a 200; None where no whole answer came."""

        def ask() -> str | None:
            try:
                url = f"http://127.0.0.1:{self.port}{path}"
                with DIRECTLY.open(url, timeout=timeout_s) as answer:
                    return str(answer.read().decode())
            except (URLError, OSError):
                return None

        return await asyncio.to_thread(ask)

    async def until_ready(self) -> str:
        """The first answer."""
        return await until(self.get)


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    """The first that is not None or False."""
    for _look in range(int(READY_S_MAX / POLL_S)):
        if found := await look():
            return found
        await asyncio.sleep(POLL_S)
    raise AssertionError(f"{look.__qualname__} said nothing within {READY_S_MAX:.0f} s")


@pytest.fixture(scope="session")
def image() -> str:
    """This machine's Python."""
    engine = engine_or_skip()
    try:
        return engine.ask(base_image)
    finally:
        engine.close()


@pytest.fixture
def engine() -> Iterator[Engine]:
    found = engine_or_skip()
    yield found
    found.close()


@pytest.fixture
def run(engine: Engine) -> Iterator[str]:
    """A run of this process, of which nothing stays."""
    name = secrets.token_hex(6)
    yield name
    engine.ask(lambda client: remove_run(client, name))


@pytest.fixture
def network(engine: Engine, run: str) -> str:
    labels = dict(Owner.this_process().labels(run))
    made = engine.ask(lambda c: c.api.create_network(f"test-{run}", driver="bridge", labels=labels))
    assert made["Id"]
    return f"test-{run}"


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
def start(engine: Engine, image: str, run: str, network: str) -> Start:
    ports = Ports(Random())

    async def start(
        restart: str = "no", name: str = "server", listens_after_s: float = 0.0
    ) -> Running:
        port = ports.take()

        def make(client) -> str:
            api = client.api
            host = api.create_host_config(
                network_mode=network,
                port_bindings={port: ("127.0.0.1", port)},
                restart_policy={"Name": restart},
                init=True,
            )
            made = api.create_container(
                image,
                ["python", "-c", SERVER, str(port), str(listens_after_s)],
                ports=[port],
                host_config=host,
                labels=dict(Owner.this_process().labels(run, name)),
                networking_config=api.create_networking_config(
                    {network: api.create_endpoint_config(aliases=[name])}
                ),
            )
            return str(made["Id"])

        container = Container(engine, await engine.call(make))
        await container.start()
        return Running(container, port)

    return start
