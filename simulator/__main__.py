"""`python -m simulator`: the DTMS API as a process. Real time, chance and signals come in here."""

from __future__ import annotations

import os
import random
import socket
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from simulator.api import Api
from simulator.broker_client import HttpBroker, HttpRegistry
from simulator.engine import Engine
from simulator.lab import FaultRefused, Lab
from simulator.log import Log
from simulator.messages import Options
from simulator.persistence import Store
from simulator.serving import PortBusy, Server, bind
from simulator.settings import Settings, SettingsError, read
from simulator.store import SqliteStore

USAGE, FAILED, BUSY = 2, 1, 3


def main() -> int:
    """Exit status: 0 ended when asked, 1 initialisation failed, 2 bad settings, 3 busy port."""
    log = Log(now)
    try:
        settings = read(sys.argv[1:], os.environ, Path.cwd())
        listener = bind(settings.host, settings.port)
    except SettingsError as error:
        print(f"simulator: {error}", file=sys.stderr)  # noqa: T201
        return USAGE
    except PortBusy as error:
        log.error("port_busy", reason=str(error))
        return BUSY
    with listener:
        return serve(settings, listener, log)


def serve(settings: Settings, listener: socket.socket, log: Log) -> int:
    """Puts engine, control plane and API together, and serves."""
    engine = Engine(
        store_of(settings),
        broker=HttpBroker(settings.broker_url) if settings.broker_url else None,
        registry=HttpRegistry(settings.registry_url) if settings.registry_url else None,
        now=now,
        monotonic=time.monotonic,
        draw=random.random,
        log=log,
        monitoring_interval_s=settings.monitoring_interval_s,
        on_failed=lambda: setattr(server, "should_exit", True),
    )
    lab = Lab(engine, settings.lab_token) if settings.lab_token else None
    try:
        for fault in settings.lab_faults:
            if lab is not None:
                lab.inflict(fault)
    except FaultRefused as error:
        print(f"simulator: --lab-faults: {error}", file=sys.stderr)  # noqa: T201
        return USAGE
    options = Options(settings.api_key, settings.rate_limit, settings.metrics)
    server = Server(Api(engine, options, lab=lab), on_stop=engine.shut_down)
    server.serve_on(listener, log)
    failed = engine.failed
    log.info("stopped", failed=failed)
    return FAILED if failed else 0


def store_of(settings: Settings) -> Store:
    """PostgreSQL where the settings name a database, else a file of this process's own."""
    if settings.database_url is None:
        return SqliteStore(settings.data_dir, now)
    from simulator.postgres_store import PostgresStore  # only where psycopg is there

    return PostgresStore(settings.database_url, uuid4().hex)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
