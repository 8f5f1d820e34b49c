"""How all tests run."""

from __future__ import annotations

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
