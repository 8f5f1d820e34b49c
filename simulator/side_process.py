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
from simulator.settings import SettingsError, check_control_plane

USAGE, BUSY = 2, 3


def run(name: str, make_app: Callable[[argparse.Namespace], Starlette]) -> int:
    """Serves until told to end. Exit status 2 for bad flags, 3 where the port is busy."""
    log = Log(lambda: datetime.now(UTC))  # noqa: TID251 - a process of its own
    flags = parse(name, sys.argv[1:])
    try:
        if flags.lab_token:
            check_control_plane(flags.host, published_on_loopback=flags.published_on_loopback)
        listener = bind(flags.host, flags.port)
    except SettingsError as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201
        return USAGE
    except PortBusy as error:
        log.error("port_busy", reason=str(error))
        return BUSY
    with listener:
        Server(make_app(flags)).serve_on(listener, log)
    return 0


def parse(name: str, argv: list[str]) -> argparse.Namespace:
    """The flags; a wrong one ends the process with status 2."""
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--host", default="127.0.0.1", help="where to listen [127.0.0.1]")
    parser.add_argument(
        "--published-on-loopback",
        action="store_true",
        help="this is a container, and its port is published on 127.0.0.1 only",
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one and logs it")
    parser.add_argument("--data-dir", type=Path, help="where to keep what must outlive a kill")
    parser.add_argument("--dtms-url", help="the DTMS API, for who manages a ticket")
    parser.add_argument(
        "--lab-token",
        default=os.environ.get("DTMS_LAB_TOKEN"),
        help="opens the control plane under /_lab [DTMS_LAB_TOKEN, closed]",
    )
    return parser.parse_args(argv)
