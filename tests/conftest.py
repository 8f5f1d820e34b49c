"""How all tests run."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from chaos.postgres.server import PostgresRefused, PostgresServer

# A machine that is busy, or that makes its tables of characters anew, is slow and not wrong.
settings.register_profile("lab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# A mutant must meet the same examples whenever it is tried, and need not be explained.
settings.register_profile(
    "mutation",
    settings.get_profile("lab"),
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "lab"))

# A shell that puts a command into the background has it ignore Ctrl-C, and so would everything that
# tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[Path]:
    """The folder of a server that never runs, to be copied. Tests are skipped where there can be
    none."""
    try:
        import psycopg  # noqa: F401 - it is optional

        server = PostgresServer()
    except (ImportError, PostgresRefused) as error:
        pytest.skip(str(error))
    yield server.folder
    server.close()


@pytest.fixture(scope="session")
def postgres(postgres_template: Path) -> Iterator[PostgresServer]:
    """One server for all tests of a process that do it no harm."""
    with PostgresServer(template=postgres_template) as server:
        yield server


_numbers = itertools.count(1)


@pytest.fixture
def make_database(postgres: PostgresServer) -> Callable[[], str]:
    """Makes databases with nothing in them; their URLs."""
    return lambda: postgres.make_schema(f"test_{next(_numbers)}")


@pytest.fixture
def own_postgres(postgres_template: Path) -> Iterator[PostgresServer]:
    """A server of the test's own, to be killed."""
    with PostgresServer(template=postgres_template) as server:
        yield server


class Lossy:
    """Stands between client and server; once armed, loses the answer to the next COMMIT, and every
    connection with it. `refuse` closes the door afterwards."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.armed = False
        self.refuse = False
        self.lost = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse and self.lost:
            writer.close()
            return
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, up_writer}
        await asyncio.gather(
            self._carry(reader, up_writer, is_answer=False),
            self._carry(up_reader, writer, is_answer=True),
        )

    async def _carry(self, reader, writer, *, is_answer: bool) -> None:
        try:
            while data := await reader.read(65536):
                if is_answer and self.armed and b"COMMIT\0" in data:
                    self.armed = False
                    self.lost += 1
                    for each in self._writers:
                        each.close()
                    return
                writer.write(data)
                await writer.drain()
        except (ConnectionError, RuntimeError):
            return
        finally:
            writer.close()


@pytest.fixture
async def lossy(make_database: Callable[[], str], postgres: PostgresServer):
    """The proxy, a database's URL through it, and its URL past it."""
    url = make_database()
    proxy = Lossy(postgres.port)
    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield proxy, url.replace(f":{postgres.port}/", f":{port}/"), url
        server.close()
