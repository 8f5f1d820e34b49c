"""A correct server with enable, look-up and health only, written from the contract alone.

Nothing of the lab is imported: it is started in a process of its own, as anybody's would be.
"""

import asyncio
import json
import math
import os
import sqlite3
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

BODY_BYTES_MAX = 65_536
MONITOR_S = int(os.environ.get("DTMS_MONITORING_INTERVAL", "30")) / 5
FIELDS = ("ticket", "symbol", "direction", "entry_price", "volume", "stop_loss", "take_profit")


class Refused(Exception):
    def __init__(self, status, code, message, details=None, retry_after=False):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.details, self.retry_after = details or {}, retry_after


class Minimal:
    """The application. What a wrong server does otherwise is a method to override."""

    def __init__(self, data_dir, broker_url=""):
        self.broker_url = broker_url
        self.trades = {}
        self.ready = False
        self.degraded = False
        self.broker_well = True
        self.lock = asyncio.Lock()
        self.open_store(Path(data_dir) / "trades.db")

    # The store

    def open_store(self, path):
        try:
            self.connect(path)
        except sqlite3.DatabaseError as error:
            if "not a database" not in str(error):
                raise
            for each in path.parent.glob("trades.db*"):
                each.rename(f"{each}.{datetime.now(UTC):%Y%m%d%H%M%S}.corrupt")
            self.degraded = True
            self.connect(path)

    def connect(self, path):
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.db.execute("PRAGMA synchronous=FULL")
        self.db.execute("CREATE TABLE IF NOT EXISTS trades (ticket INTEGER PRIMARY KEY, told TEXT)")

    def persist(self, trade):
        self.db.execute(
            "INSERT OR REPLACE INTO trades VALUES (?, ?)", (trade["ticket"], json.dumps(trade))
        )

    def writable(self):
        try:
            self.db.execute("CREATE TABLE IF NOT EXISTS probe (n INTEGER)")
            self.db.execute("INSERT OR REPLACE INTO probe (rowid, n) VALUES (1, 1)")
        except sqlite3.Error:
            return False
        return True

    # Start-up

    async def start(self):
        positions = await self.ask_broker() if self.broker_url else None
        self.recover(positions)
        self.ready = True
        while self.broker_url:
            await asyncio.sleep(MONITOR_S)
            await self.cycle()

    async def cycle(self):
        before = list(self.trades.values())
        positions = await self.ask_broker(once=True)
        if positions is not None:
            self.close_gone(before, {position["ticket"] for position in positions})

    def close_gone(self, before, at_broker):
        for trade in before:
            if trade["ticket"] not in at_broker and trade["state"] != "CLOSED":
                self.keep({**trade, "state": "CLOSED", "last_updated": now()})

    async def ask_broker(self, once=False):
        while True:
            try:
                told = await asyncio.to_thread(self.positions)
            except (OSError, ValueError):
                told = None
            self.broker_well = told is not None
            if told is not None or once:
                return told
            await asyncio.sleep(0.05)

    def positions(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.broker_url}/positions", timeout=2) as answer:
            return json.load(answer)["positions"]

    def recover(self, positions):
        for ticket, told in self.db.execute("SELECT ticket, told FROM trades"):
            self.trades[ticket] = json.loads(told)
        if positions is None:
            return
        at_broker = {position["ticket"]: position for position in positions}
        for ticket, trade in list(self.trades.items()):
            if ticket not in at_broker:
                self.keep({**trade, "state": "CLOSED"})
        for ticket, position in at_broker.items():
            known = self.trades.get(ticket) or new_trade(position)
            self.keep({**known, **{name: position[name] for name in FIELDS}})

    def keep(self, trade):
        self.persist(trade)
        self.trades[trade["ticket"]] = trade

    # Requests

    def must_be_ready(self):
        if not self.ready:
            raise Refused(503, "not_ready", "Not initialised yet.", retry_after=True)

    def read(self, body):
        if len(body) > BODY_BYTES_MAX:
            raise Refused(413, "too_large", "The body is too large.")
        try:
            return json.loads(body, parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise Refused(400, "invalid_json", "The body is no JSON.") from None

    def check(self, payload):
        if not isinstance(payload, dict):
            raise wrong("body", "must be an object")
        ticket = payload.get("ticket")
        if type(ticket) is not int or not 1 <= ticket <= 2**63 - 1:
            raise wrong("ticket", "must be a whole number from 1 to 2^63-1")
        symbol = payload.get("symbol")
        if not isinstance(symbol, str) or not 1 <= len(symbol) <= 32 or not symbol.isprintable():
            raise wrong("symbol", "must be a printable string")
        if payload.get("direction") not in ("BUY", "SELL"):
            raise wrong("direction", "must be BUY or SELL")
        for name in ("entry", "volume", "stop_loss", "take_profit"):
            if name in ("stop_loss", "take_profit") and payload.get(name) is None:
                continue
            self.check_number(name, payload.get(name))
        if payload["volume"] > 1000:
            raise wrong("volume", "must be at most 1000")
        self.check_stops(payload)

    def check_number(self, name, value):
        if type(value) not in (int, float) or not math.isfinite(_float(value)) or value <= 0:
            raise wrong(name, "must be a number over 0")

    def check_stops(self, payload):
        sign = 1 if payload["direction"] == "BUY" else -1
        for name, side in (("stop_loss", -sign), ("take_profit", sign)):
            value = payload.get(name)
            if value is not None and (value - payload["entry"]) * side <= 0:
                raise wrong(name, "is on the wrong side of entry")

    async def register(self, payload):
        async with self.lock:
            trade = new_trade({**payload, "entry_price": payload["entry"]})
            known = self.trades.get(trade["ticket"])
            if known is not None:
                return self.known(known, trade)
            try:
                self.keep(trade)
            except sqlite3.Error:
                raise Refused(503, "not_persisted", "The store failed.", retry_after=True) from None
            return trade, False

    def known(self, known, trade):
        if any(known[name] != trade[name] for name in FIELDS):
            raise Refused(409, "ticket_conflict", "The ticket has other data.", known)
        return known, True

    async def enable(self, body):
        self.must_be_ready()
        payload = self.read(body)
        self.check(payload)
        trade, already = await self.register(payload)
        told = {"success": True, "summary": "Registered.", "trade_info": trade}
        return 200, {**told, "already_registered": already}

    def lookup(self, text):
        if not (text.isascii() and text.removeprefix("-").isdigit()):
            raise wrong("ticket", "must be a whole number")
        self.must_be_ready()
        trade = self.trades.get(int(text) if len(text) < 20 else 0)
        if trade is None:
            raise Refused(404, "unknown_ticket", "The ticket is unknown.")
        told = {"success": True, "summary": "Known.", "state": trade["state"], "trade_info": trade}
        return 200, told

    def health(self):
        status = "healthy"
        if not self.ready:
            status = "unhealthy"
        elif self.degraded or not self.broker_well or not self.writable():
            status = "degraded"
        told = {"status": status, "dtms_initialized": self.ready, "dtms_available": self.ready}
        return (200 if status == "healthy" else 503), {**told, "timestamp": now()}

    def dtms_health(self):
        told = {
            "dtms_initialized": self.ready,
            "monitoring_active": self.ready,
            "active_trades": sum(t["state"] != "CLOSED" for t in self.trades.values()),
            "ready": self.ready,
            "timestamp": now(),
        }
        return (200, told) if self.ready else (503, {**told, "error": "not ready"})

    def admit(self, scope):
        pass

    async def answer(self, method, path, body):
        if (method, path) == ("POST", "/dtms/trade/enable"):
            return await self.enable(body)
        if method == "GET" and path.startswith("/dtms/trade/"):
            return self.lookup(path.removeprefix("/dtms/trade/"))
        if (method, path) == ("GET", "/health"):
            return self.health()
        if (method, path) == ("GET", "/dtms/health"):
            return self.dtms_health()
        raise Refused(404, "not_found", "There is nothing there.")

    def headers(self, correlation_id, retry_after):
        told = [(b"content-type", b"application/json"), (b"x-correlation-id", correlation_id)]
        return [*told, (b"retry-after", b"1")] if retry_after else told

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            task = asyncio.create_task(self.start())
            await send({"type": "lifespan.startup.complete"})
            await receive()
            task.cancel()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body = (body + message.get("body", b""))[: BODY_BYTES_MAX + 1]
            more = message.get("more_body", False)
        correlation_id = dict(scope["headers"]).get(b"x-correlation-id", b"made-here")
        retry_after = False
        try:
            self.admit(scope)
            status, told = await self.answer(scope["method"], scope["path"], body)
        except Refused as error:
            status, retry_after = error.status, error.retry_after
            told = {"error": error.code, "message": error.message, "details": error.details}
            told["correlation_id"] = correlation_id.decode("latin-1")
        headers = self.headers(correlation_id, retry_after)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})


def wrong(field, why):
    return Refused(422, "invalid_request", f"{field}: {why}", {"field": field})


def new_trade(given):
    trade = {name: given.get(name) for name in FIELDS}
    stamp = {"registered_at": now(), "last_updated": now()}
    return {**trade, "state": "HEALTHY", "protection_active": True, **stamp}


def now():
    return datetime.now(UTC).isoformat()


def _no_number(text):
    raise ValueError(text)


def _float(value):
    try:
        return float(value)
    except OverflowError:
        return math.inf


def make_app(data_dir, broker_url=""):
    return Minimal(data_dir, broker_url)
