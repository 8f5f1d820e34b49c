"""Durable registrations a second over PostgreSQL, against SQLite, in rounds that take turns."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from chaos.postgres.server import PostgresRefused, PostgresServer
from loadtests.bench.figure import Figure, quantile
from loadtests.bench.processes import event, simulator, started
from loadtests.bench.server import MEASURED_S, load

ROUNDS = 3


def measure() -> tuple[Figure, ...]:
    """None where there is no PostgreSQL. The database's own processes run beside the API."""
    try:
        import psycopg  # noqa: F401 - it is optional

        server = PostgresServer()
    except (ImportError, PostgresRefused) as error:
        print(f"postgres: {error}", file=sys.stderr)
        return ()
    with server:
        rounds = [
            (_rate({}), _rate({"DTMS_DATABASE_URL": server.make_schema(f"round_{n}")}))
            for n in range(ROUNDS)
        ]
    return (
        Figure("durable_registrations_sqlite", _median(a for a, _ in rounds), "per second"),
        Figure("durable_registrations_postgres", _median(b for _, b in rounds), "per second"),
        Figure("postgres_to_sqlite", _median(b / a for a, b in rounds), "times"),
    )


def _rate(environ: Mapping[str, str]) -> float:
    with (
        tempfile.TemporaryDirectory() as folder,
        started("simulator", simulator(Path(folder)), environ=environ) as api,
    ):
        port = int(str(event(api, "listening")["port"]))
        event(api, "ready")
        return len(asyncio.run(load(port)).latencies_ms) / MEASURED_S


def _median(values: Iterable[float]) -> float:
    return quantile(list(values), 0.5)
