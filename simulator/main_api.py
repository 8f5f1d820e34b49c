"""The simulated main API: the trade registry, and the Universal Manager.

`python -m simulator.main_api --port P --dtms-url U` serves:

    GET  /trade-registry/{ticket}   who manages it; with ?except=dtms_manager, who else does
    POST /universal/trades          the Universal Manager takes a trade: {"accepted": true|false}
    GET  /universal/trades          {"tickets": [...]} that it manages
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

import msgspec
from starlette.applications import Starlette

from simulator.broker_client import NoData, get
from simulator.side_app import Answered, make_app, read, read_ticket, refused, unknown
from simulator.side_process import run

UNIVERSAL = "universal_sl_tp_manager"
DTMS = "dtms_manager"


class Behaviour(msgspec.Struct, frozen=True):
    """How the Universal Manager and the registry behave; without DTMS the registry tells only what
    the Universal Manager manages."""

    universal: Literal["accept", "refuse", "fail", "fail-after-accept", "slow"] = "accept"
    registry: Literal["ok", "down", "without_dtms"] = "ok"
    delay_s: float = 0.5


class Taken(msgspec.Struct, frozen=True):
    """A trade that is offered to the Universal Manager."""

    ticket: int
    strategy_type: str


class Ownership(Protocol):
    """What the Universal Manager manages, wherever that is kept."""

    @property
    def tickets(self) -> AbstractSet[int]:
        """Every ticket it manages."""
        ...

    async def take(self, trade: Taken) -> None:
        """Manages the trade from now on, durably; again is the same."""
        ...


class Dtms(Protocol):
    """What the registry asks of DTMS."""

    async def protects(self, ticket: int) -> bool | None:
        """Whether DTMS protects the ticket; None where it does not answer."""
        ...


class Owners:
    """Which tickets the Universal Manager manages; durable where a folder is given."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(
            folder / "universal.db" if folder is not None else ":memory:", isolation_level=None
        )
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS owned (ticket INTEGER PRIMARY KEY, strategy TEXT NOT NULL)"
        )
        rows = self._database.execute("SELECT ticket FROM owned")
        self.tickets: set[int] = {ticket for (ticket,) in rows}

    async def take(self, trade: Taken) -> None:
        """Manages the trade from now on; again is the same."""
        self._database.execute(
            "INSERT OR IGNORE INTO owned VALUES (?, ?)", (trade.ticket, trade.strategy_type)
        )
        self.tickets.add(trade.ticket)


class _Info(msgspec.Struct):
    protection_active: bool


class _Held(msgspec.Struct):
    trade_info: _Info


_HELD = msgspec.json.Decoder(_Held)


class HttpDtms:
    """The DTMS API behind a URL."""

    def __init__(self, url: str, timeout_s: float = 2.0) -> None:
        self._url = url
        self._timeout_s = timeout_s

    async def protects(self, ticket: int) -> bool | None:
        try:
            status, body = await get(f"{self._url}/dtms/trade/{ticket}", self._timeout_s)
        except NoData:
            return None
        if status == 404:
            return False
        try:
            return _HELD.decode(body).trade_info.protection_active if status == 200 else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


class MainApi:
    """The registry and the Universal Manager; without a DTMS, DTMS owns nothing.

    `request` answers every message, with no HTTP in between; `body` is JSON or an object.
    """

    def __init__(self, owners: Ownership, dtms: Dtms | None) -> None:
        self.behaviour = Behaviour()
        self._owners = owners
        self._dtms = dtms

    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] = MappingProxyType({}),
        body: object = b"",
    ) -> Answered:
        """Answers any request. Who may ask for what is under /_lab is for the caller to say."""
        try:
            return await self._answer(method, path, query, body)
        except msgspec.DecodeError as error:
            return refused(error)

    async def registry(self, ticket: int, *, besides: str = "") -> Answered:
        """Who manages the ticket; `besides` names a manager who does not count."""
        if self.behaviour.registry == "down":
            return 503, {"error": "down", "message": "The registry is down."}
        managed_by: str | None = UNIVERSAL if ticket in self._owners.tickets else ""
        dtms = self._dtms if self.behaviour.registry != "without_dtms" else None
        if not managed_by and besides != DTMS and dtms is not None:
            protects = await dtms.protects(ticket)
            managed_by = None if protects is None else DTMS if protects else ""
        if managed_by is None:
            return 503, {"error": "unknown", "message": "The DTMS API does not answer."}
        return 200, {"ticket": ticket, "managed_by": managed_by, "breakeven_triggered": False}

    async def offer(self, trade: Taken) -> Answered:
        """The Universal Manager takes the trade, or not, as its behaviour has it."""
        match self.behaviour.universal:
            case "refuse":
                return 409, {"accepted": False}
            case "fail":
                return 500, {"error": "failed", "message": "The manager failed."}
            case "fail-after-accept":
                await self._owners.take(trade)
                return 500, {"error": "failed", "message": "Failed after accepting."}
            case "slow":
                await asyncio.sleep(self.behaviour.delay_s)
        await self._owners.take(trade)
        return 200, {"accepted": True}

    async def _answer(
        self, method: str, path: str, query: Mapping[str, str], body: object
    ) -> Answered:
        match method, path.strip("/").split("/"):
            case "GET", ["trade-registry", text] if (ticket := read_ticket(text)) is not None:
                return await self.registry(ticket, besides=query.get("except", ""))
            case "POST", ["universal", "trades"]:
                return await self.offer(read(body, Taken))
            case "GET", ["universal", "trades"]:
                return 200, {"tickets": sorted(self._owners.tickets)}
            case "GET", ["health"]:
                return 200, {"status": "healthy"}
            case "POST", ["_lab", "behaviour"]:
                self.behaviour = read(body, Behaviour)
                return 200, self.behaviour
            case _:
                return unknown(method, path)


def main() -> int:
    """The main API as a process."""

    def app(flags: argparse.Namespace) -> Starlette:
        dtms = HttpDtms(flags.dtms_url) if flags.dtms_url is not None else None
        return make_app(MainApi(Owners(flags.data_dir), dtms).request, flags.lab_token)

    return run("simulator.main_api", app)


if __name__ == "__main__":
    sys.exit(main())
