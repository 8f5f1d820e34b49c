"""The simulated main API: the trade registry, and the Universal Manager.

`python -m simulator.main_api --port P --dtms-url U` serves:

    GET  /trade-registry/{ticket}   who manages it; with ?except=dtms_manager, who else does
    POST /universal/trades          the Universal Manager takes a trade: {"accepted": true|false}
    GET  /universal/trades          {"tickets": [...]} that it manages
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from pathlib import Path
from typing import Literal

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.broker import answer, guarded
from simulator.broker_client import NoData, get
from simulator.side_process import run

UNIVERSAL = "universal_sl_tp_manager"
DTMS = "dtms_manager"


class Behaviour(msgspec.Struct, frozen=True):
    """How the Universal Manager and the registry behave."""

    universal: Literal["accept", "refuse", "fail", "fail-after-accept", "slow"] = "accept"
    registry: Literal["ok", "down"] = "ok"
    delay_s: float = 0.5


class Taken(msgspec.Struct, frozen=True):
    """A trade that is offered to the Universal Manager."""

    ticket: int
    strategy_type: str


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

    def take(self, trade: Taken) -> None:
        """Manages the trade from now on; again is the same."""
        self._database.execute(
            "INSERT OR IGNORE INTO owned VALUES (?, ?)", (trade.ticket, trade.strategy_type)
        )
        self.tickets.add(trade.ticket)


class MainApi:
    """The application's state and routes."""

    def __init__(self, owners: Owners, dtms_url: str | None) -> None:
        self.behaviour = Behaviour()
        self._owners = owners
        self._dtms_url = dtms_url

    async def registry(self, request: Request) -> Response:
        ticket = request.path_params["ticket"]
        if self.behaviour.registry == "down":
            return answer(503, {"error": "down", "message": "The registry is down."})
        managed_by: str | None = UNIVERSAL if ticket in self._owners.tickets else ""
        if not managed_by and request.query_params.get("except") != DTMS:
            managed_by = await self._asked_of_dtms(ticket)
        if managed_by is None:
            return answer(503, {"error": "unknown", "message": "The DTMS API does not answer."})
        told = {"ticket": ticket, "managed_by": managed_by, "breakeven_triggered": False}
        return answer(200, told)

    async def offer(self, request: Request) -> Response:
        trade = msgspec.json.decode(await request.body(), type=Taken)
        match self.behaviour.universal:
            case "refuse":
                return answer(409, {"accepted": False})
            case "fail":
                return answer(500, {"error": "failed", "message": "The manager failed."})
            case "fail-after-accept":
                self._owners.take(trade)
                return answer(500, {"error": "failed", "message": "Failed after accepting."})
            case "slow":
                await asyncio.sleep(self.behaviour.delay_s)
        self._owners.take(trade)
        return answer(200, {"accepted": True})

    async def owned(self, _request: Request) -> Response:
        return answer(200, {"tickets": sorted(self._owners.tickets)})

    async def health(self, _request: Request) -> Response:
        return answer(200, {"status": "healthy"})

    async def behave(self, request: Request) -> Response:
        self.behaviour = msgspec.json.decode(await request.body(), type=Behaviour)
        return answer(200, self.behaviour)

    async def _asked_of_dtms(self, ticket: int) -> str | None:
        """DTMS where it protects the ticket, nobody where it knows it not; None for no answer."""
        if self._dtms_url is None:
            return ""
        try:
            status, body = await get(f"{self._dtms_url}/dtms/trade/{ticket}", timeout_s=2.0)
        except NoData:
            return None
        if status == 404:
            return ""
        if status != 200:
            return None
        active = json.loads(body)["trade_info"]["protection_active"]
        return DTMS if active else ""


def make_app(api: MainApi, token: str | None) -> Starlette:
    """The main API over HTTP."""

    async def offer(request: Request) -> Response:
        try:
            return await api.offer(request)
        except msgspec.DecodeError as error:
            return answer(422, {"error": "refused", "message": str(error)})

    return Starlette(
        routes=[
            Route("/trade-registry/{ticket:int}", api.registry),
            Route("/universal/trades", offer, methods=["POST"]),
            Route("/universal/trades", api.owned),
            Route("/health", api.health),
            Route("/_lab/behaviour", guarded(token, api.behave), methods=["POST"]),
        ]
    )


def main() -> int:
    """The main API as a process."""
    return run(
        "simulator.main_api",
        lambda flags: make_app(MainApi(Owners(flags.data_dir), flags.dtms_url), flags.lab_token),
    )


if __name__ == "__main__":
    sys.exit(main())
