"""A trading service around the reference core, as a process the lab can talk to and kill.

Speaks the JSON-lines protocol of every client target, and three operations more: `settle` waits
until nothing is pending, `audit` tells outcomes, alerts and leaks, `via` in `register` says which
of the core's doors to use. What it logs goes to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import urlsplit

from core import helper
from core.bridge import Accepted, Bridge
from core.errors import OutboxFailed, RegistrationError, TradeRefused
from core.outcome import Outcome, Rejected
from core.production import Core
from core.recovery import recover, recover_until_clear
from core.settings import Policy, Settings
from core.trade import normalise
from scenarios.targets.answers import told
from scenarios.targets.notebook import Notebook
from scenarios.targets.trading import PositionsClient, UniversalManagerClient, over_http

READ_BYTES_MAX = 4 * 1024 * 1024


class Service:
    """Answers requests with the bridge. `recovering` is what goes on until recovery is clear."""

    def __init__(
        self,
        bridge: Bridge,
        notebook: Notebook,
        api_url: str,
        recovering: Future[None] | None = None,
    ) -> None:
        self._bridge = bridge
        self._notebook = notebook
        self._api_url = api_url
        self._recovering = recovering
        self._level: dict[str, int] = {}

    async def answer(self, request: Mapping[str, object]) -> dict[str, object]:
        """The answer to one request line."""
        match request.get("op"):
            case "register":
                if not self._level:
                    self._level = await self._count()
                return await self._register(request)
            case "settle":
                return await self._settle(float(str(request["timeout_s"])))
            case "audit":
                return await self._audit()
            case op:
                return {"detail": f"there is no operation {op!r}"}

    async def _settle(self, timeout_s: float) -> dict[str, object]:
        """Waits until the recovery is clear and nothing is pending."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        if self._recovering is not None:
            await asyncio.wait([asyncio.wrap_future(self._recovering)], timeout=timeout_s)
        left_s = max(0.0, deadline - loop.time())
        settled = self._bridge.call(self._bridge.core.settle(left_s))
        pending = await asyncio.wrap_future(settled)
        return {"pending": [intent.ticket for intent in pending]}

    async def _register(self, request: Mapping[str, object]) -> dict[str, object]:
        trade = request["trade"]
        assert isinstance(trade, dict)
        ticket = request["ticket"]
        assert isinstance(ticket, int)
        match request.get("via", "register"):
            case "helper":
                registered = await helper.register_trade_with_dtms_api(
                    ticket,
                    trade,
                    int(str(request["retry_count"])),
                    float(str(request["timeout_s"])),
                    self._api_url,
                )
                return {"registered": registered, "detail": "helper"}
            case "auto-thread":
                accepted = await asyncio.to_thread(self._auto, ticket, trade)
            case "auto" | "auto-loop":
                accepted = self._auto(ticket, trade)
            case _:
                return await self._drive(ticket, trade)
        return {"registered": accepted, "detail": "auto"}

    def _auto(self, ticket: int, trade: dict[str, object]) -> bool:
        return helper.auto_register_dtms(ticket, trade)

    async def _drive(self, ticket: int, trade: dict[str, object]) -> dict[str, object]:
        """Accepts and waits for the outcome, as a service that cares does."""
        try:
            submitted: Accepted | Outcome = await asyncio.to_thread(
                self._bridge.submit, normalise(ticket, trade)
            )
        except TradeRefused as error:
            submitted = Rejected(ticket, str(error))
        except OutboxFailed as error:
            return {"registered": False, "detail": f"not accepted: {error}"}
        if not isinstance(submitted, Accepted):
            return told(submitted)
        try:
            async with asyncio.timeout(self._bridge.core.policy.deadline_s):
                return told(await asyncio.wrap_future(submitted.outcome))
        except TimeoutError:
            return {"registered": None, "detail": "pending"}
        except RegistrationError as error:
            return {"registered": None, "detail": str(error)}

    async def _audit(self) -> dict[str, object]:
        core = self._bridge.core
        now = await self._count()
        leaks = {name: max(0, now[name] - self._level.get(name, now[name])) for name in now}
        return {
            "pending": [intent.ticket for intent in core.pending()],
            "outcomes": {str(ticket): state for ticket, state in core.outcomes().items()},
            "alerts": self._notebook.alerts,
            "events": self._notebook.events,
            "leaks": leaks,
        }

    async def _count(self) -> dict[str, int]:
        """Tasks in both loops, threads but those of this loop's pool, open files and sockets.

        The pool of kept-alive connections is part of the core: it may hold what its limits say.
        """
        await asyncio.sleep(0)
        gc.collect()
        tasks = len(asyncio.all_tasks())
        there = await asyncio.wrap_future(self._bridge.call(_tasks_here()))
        threads = [t for t in threading.enumerate() if not t.name.startswith("asyncio_")]
        sockets, files = _descriptors()
        pooled = self._bridge.core.policy.pool_keepalive
        return {
            "tasks": tasks + there,
            "threads": len(threads),
            "sockets": max(sockets, pooled),
            "files": files,
        }


async def _tasks_here() -> int:
    return len(asyncio.all_tasks())


def _descriptors() -> tuple[int, int]:
    """Open sockets, and everything else that is open."""
    sockets = files = 0
    folder = Path("/proc/self/fd")
    for entry in list(folder.iterdir()) if folder.exists() else ():
        try:
            is_socket = str(entry.readlink()).startswith("socket:")
        except FileNotFoundError:  # the folder's own descriptor, closed by now
            continue
        sockets, files = sockets + is_socket, files + (not is_socket)
    return sockets, files


async def serve(service: Service) -> None:
    """Until the input ends; requests run beside each other."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=READ_BYTES_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    running: set[asyncio.Task[None]] = set()

    async def reply(request: dict[str, object]) -> None:
        answer = await service.answer(request)
        sys.stdout.write(json.dumps({"id": request.get("id"), **answer}) + "\n")
        sys.stdout.flush()

    while line := await reader.readline():
        task = loop.create_task(reply(json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def main() -> int:
    flags = arguments()
    parts = urlsplit(flags.api_url)
    settings = Settings(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 80,
        policy=Policy.from_mapping(json.loads(flags.policy)),
    )
    notebook = Notebook(mirror=sys.stderr)
    universal = (
        UniversalManagerClient(over_http(flags.main_api_url)) if flags.main_api_url else None
    )
    bridge = Bridge(
        lambda: Core(
            settings,
            outbox=flags.data_dir / "outbox.db",
            service=flags.name,
            universal_manager=universal,
            alert_sinks=(notebook,),
            event_stream=notebook,  # type: ignore[arg-type]
        )
    )
    helper.install(flags.api_url, bridge)
    os.environ["DTMS_API_HOST"], os.environ["DTMS_API_PORT"] = settings.host, str(settings.port)
    recovering = _recover(bridge, flags.broker_url, universal) if flags.broker_url else None
    try:
        asyncio.run(serve(Service(bridge, notebook, flags.api_url, recovering)))
    finally:
        if recovering is not None:
            recovering.cancel()
        bridge.close()
    return 0


def _recover(
    bridge: Bridge, broker_url: str, universal: UniversalManagerClient | None
) -> Future[None]:
    """Finds what was executed before a crash and not yet accepted: one round now, more of them
    until nothing is unclear."""
    core, positions = bridge.core, PositionsClient(over_http(broker_url))
    so_far = bridge.call(recover(core, positions, universal)).result()
    every_s = core.policy.resume_interval_s
    return bridge.call(recover_until_clear(core, positions, universal, so_far, every_s=every_s))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="reference_service")
    parser.add_argument("--name", required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--api-url", required=True)
    parser.add_argument("--policy", default="{}")
    parser.add_argument("--main-api-url")
    parser.add_argument("--broker-url")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
