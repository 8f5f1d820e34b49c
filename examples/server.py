"""A DTMS API as a program with a store of its own; something to start from. Standard library only.

dtms-lab run --server "cmd:python3 examples/server.py --port {port} --data {data_dir}"
"""

import argparse
import json
import math
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BODY_BYTES_MAX = 64 * 1024
TICKET_MAX = 2**63 - 1
COLUMNS = ("ticket", "symbol", "direction", "entry_price", "volume", "stop_loss", "take_profit")


class Refused(Exception):
    """The request gets this status and code."""

    def __init__(self, status, code, message, details=None):
        super().__init__(message)
        self.status, self.code, self.details = status, code, details or {}


class Store:
    """One lock around everything: a row is on the disk before anybody is told of it."""

    def __init__(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(
            Path(folder) / "trades.db", isolation_level=None, check_same_thread=False
        )
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")  # else a power loss takes what was promised
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS trades (ticket INTEGER PRIMARY KEY, symbol, direction,"
            " entry_price, volume, stop_loss, take_profit, state)"
        )

    def register(self, trade):
        """The stored row, and whether it was there before. Raises `Refused` for other data."""
        with self._lock:
            stored = self._find(trade["ticket"])
            if stored is None:
                row = [trade[name] for name in COLUMNS]
                self._db.execute("INSERT INTO trades VALUES (?,?,?,?,?,?,?,'HEALTHY')", row)
                return self._find(trade["ticket"]), False
        if any(stored[name] != trade[name] for name in COLUMNS):
            raise Refused(409, "ticket_conflict", "registered with other data", stored)
        return stored, True

    def find(self, ticket):
        with self._lock:
            return self._find(ticket)

    def close_trade(self, ticket):
        with self._lock:
            self._db.execute("UPDATE trades SET state='CLOSED' WHERE ticket=?", (ticket,))
            return self._find(ticket)

    def _find(self, ticket):
        row = self._db.execute("SELECT * FROM trades WHERE ticket=?", (ticket,)).fetchone()
        if row is None:
            return None
        told = dict(zip((*COLUMNS, "state"), row))
        return {**told, "protection_active": told["state"] != "CLOSED"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    disable_nagle_algorithm = True
    store = None

    def do_GET(self):
        if self.path in ("/health", "/dtms/health"):
            ready = {"ready": True, "dtms_initialized": True, "monitoring_active": True}
            self.answer(200, {**ready, "status": "healthy", "dtms_available": True})
        else:
            self.with_trade(self.store.find)

    def do_DELETE(self):
        self.with_trade(self.store.close_trade)

    def do_POST(self):
        try:
            if self.path != "/dtms/trade/enable":
                raise Refused(404, "not_found", "there is no such page")
            stored, already = self.store.register(trade_of(self.body()))
            told = {"success": True, "summary": "registered", "already_registered": already}
            self.answer(200, {**told, "state": stored["state"], "trade_info": stored})
        except Refused as refused:
            self.refuse(refused)
        except sqlite3.Error as error:
            self.refuse(Refused(503, "not_persisted", str(error)))

    def with_trade(self, ask):
        try:
            prefix, _, ticket = self.path.rpartition("/")
            if prefix != "/dtms/trade":
                raise Refused(404, "not_found", "there is no such page")
            if not ticket.isdecimal() or not 1 <= int(ticket) <= TICKET_MAX:
                raise Refused(422, "bad_ticket", "ticket: must be a positive integer")
            stored = ask(int(ticket))
            if stored is None:
                raise Refused(404, "unknown_ticket", "no such ticket")
            told = {"success": True, "summary": "", "state": stored["state"]}
            self.answer(200, {**told, "trade_info": stored})
        except Refused as refused:
            self.refuse(refused)
        except sqlite3.Error as error:
            self.refuse(Refused(503, "store", str(error)))

    def body(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True  # the rest of it is not read
            status = 413 if length.isdecimal() else 411
            raise Refused(status, "body", f"at most {BODY_BYTES_MAX} bytes, and their number")
        try:
            return json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise Refused(400, "bad_json", str(error)) from error

    def refuse(self, refused):
        told = {"error": refused.code, "message": str(refused), "details": refused.details}
        self.answer(refused.status, {**told, "correlation_id": "-"})

    def answer(self, status, told):
        raw = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        if status == 503:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_words):
        """Nothing is told of each request."""


def trade_of(body):
    """The trade, every field looked at. Raises `Refused`, naming the field."""
    if not isinstance(body, dict):
        raise Refused(422, "bad_body", "the body must be an object")

    def check(name, holds, what):
        if not holds(body.get(name)):
            raise Refused(422, "bad_field", f"{name}: must be {what}", {"field": name})
        return body.get(name)

    direction = check("direction", lambda v: v in ("BUY", "SELL"), "BUY or SELL")
    trade = {
        "ticket": check("ticket", lambda v: type(v) is int and 1 <= v <= TICKET_MAX, "an integer"),
        "symbol": check("symbol", is_symbol, "1 to 32 printable characters"),
        "direction": direction,
        "entry_price": check("entry", is_price, "a number above 0"),
        "volume": check("volume", lambda v: is_price(v) and v <= 1000, "above 0, up to 1000"),
    }
    for name, below in (("stop_loss", direction == "BUY"), ("take_profit", direction == "SELL")):
        trade[name] = check(name, lambda v: v is None or is_price(v), "null or a number above 0")
        value, entry = trade[name], trade["entry_price"]
        if value is not None and (value >= entry if below else value <= entry):
            raise Refused(422, "bad_field", f"{name}: on the wrong side", {"field": name})
    return trade


def is_price(value):
    return type(value) in (int, float) and math.isfinite(value) and 0 < value < 1e15


def is_symbol(value):
    return isinstance(value, str) and 1 <= len(value) <= 32 and value.isprintable()


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


def main():
    flags = argparse.ArgumentParser()
    flags.add_argument("--port", type=int, required=True)
    flags.add_argument("--data", required=True)
    given = flags.parse_args()
    with Server(("127.0.0.1", given.port), Handler) as server:  # a busy port ends it here
        Handler.store = Store(given.data)
        server.serve_forever()


if __name__ == "__main__":
    main()
