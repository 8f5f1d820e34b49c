"""Planted bug: answers "registered" first and writes the row a moment later.

Killed in between, it has acknowledged a trade that it does not have. Claimed by:
acknowledged_is_kept.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

WRITTEN_AFTER_S = 0.25
NAMES = ("ticket", "symbol", "direction", "entry_price", "volume", "stop_loss", "take_profit")


def make_app(data_dir: str) -> Starlette:
    database = sqlite3.connect(Path(data_dir) / "trades.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE IF NOT EXISTS trades (ticket INTEGER PRIMARY KEY, row TEXT)")
    rows = database.execute("SELECT ticket, row FROM trades")
    trades: dict[int, dict[str, object]] = {ticket: json.loads(row) for ticket, row in rows}
    writes: set[asyncio.Task[None]] = set()

    async def write_later(ticket: int) -> None:
        await asyncio.sleep(WRITTEN_AFTER_S)
        row = (ticket, json.dumps(trades[ticket]))
        database.execute("INSERT OR REPLACE INTO trades VALUES (?, ?)", row)

    async def enable(request: Request) -> JSONResponse:
        body = await request.json()
        ticket = body["ticket"]
        already = ticket in trades
        if not already:
            given = {**body, "entry_price": body["entry"]}
            trades[ticket] = {name: given.get(name) for name in NAMES} | {"state": "HEALTHY"}
            task = asyncio.create_task(write_later(ticket))
            writes.add(task)
            task.add_done_callback(writes.discard)
        return JSONResponse(
            {
                "success": True,
                "summary": "registered",
                "trade_info": trades[ticket],
                "already_registered": already,
            }
        )

    async def lookup(request: Request) -> JSONResponse:
        trade = trades.get(int(request.path_params["ticket"]))
        if trade is None:
            return JSONResponse({"error": "unknown_ticket", "message": "not here"}, 404)
        return JSONResponse(
            {"success": True, "summary": "", "state": trade["state"], "trade_info": trade}
        )

    async def close(request: Request) -> JSONResponse:
        known = trades.pop(int(request.path_params["ticket"]), None)
        return JSONResponse({"success": known is not None}, 200 if known else 404)

    async def health(_request: Request) -> JSONResponse:
        return JSONResponse({"dtms_initialized": True, "monitoring_active": True, "ready": True})

    return Starlette(
        routes=[
            Route("/dtms/trade/enable", enable, methods=["POST"]),
            Route("/dtms/trade/{ticket:int}", lookup, methods=["GET"]),
            Route("/dtms/trade/{ticket:int}", close, methods=["DELETE"]),
            Route("/dtms/health", health),
            Route("/health", health),
        ]
    )
