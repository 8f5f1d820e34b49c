"""Starting the broker and the main API as processes: the same flags, the same log line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette

from simulator.log import Log
from simulator.serving import PortBusy, Server, bind

BUSY = 3


def run(name: str, make_app: Callable[[argparse.Namespace], Starlette]) -> int:
    """Serves on loopback until told to end. Exit status 3 where the port is busy."""
    log = Log(lambda: datetime.now(UTC))  # noqa: TID251 - a process of its own
    flags = parse(name, sys.argv[1:])
    try:
        listener = bind("127.0.0.1", flags.port)
    except PortBusy as error:
        log.error("port_busy", reason=str(error))
        return BUSY
    with listener:
        Server(make_app(flags)).serve_on(listener, log)
    return 0


def parse(name: str, argv: list[str]) -> argparse.Namespace:
    """The flags; a wrong one ends the process with status 2."""
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one and logs it")
    parser.add_argument("--data-dir", type=Path, help="where to keep what must outlive a kill")
    parser.add_argument("--dtms-url", help="the DTMS API, for who manages a ticket")
    parser.add_argument(
        "--lab-token",
        default=os.environ.get("DTMS_LAB_TOKEN"),
        help="opens the control plane under /_lab [DTMS_LAB_TOKEN, closed]",
    )
    return parser.parse_args(argv)
