"""The minimal server with what it leaves out: a registry, a key, limits, a shut-down, more routes.

Nothing of the lab is imported here, either. What a wrong server does otherwise is a method to
override.
"""

import asyncio
import hmac
import importlib.util
import json
import os
import signal
import sqlite3
import time
import urllib.request
from collections import Counter
from pathlib import Path

_spec = importlib.util.spec_from_file_location(
    "minimal_server", Path(__file__).with_name("minimal_server.py")
)
minimal = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(minimal)
Minimal, Refused, now = minimal.Minimal, minimal.Refused, minimal.now

KEY = os.environ.get("DTMS_API_KEY", "").encode()
IS_LIMITED = os.environ.get("DTMS_RATE_LIMIT_ENABLED") == "true"
STOPPING_S = 0.3
FAILING_S = 0.3
REGISTRATIONS_PER_S, QUERIES_PER_S = 10, 30
METRICS = """# TYPE dtms_requests_total counter
dtms_requests_total 7
dtms_errors_total{route="/health"} 0
dtms_active_trades %(active)d
dtms_registrations_total{outcome="new"} 3
dtms_cycle_seconds 0.01
dtms_latency_seconds_bucket{le="0.1"} 7
dtms_latency_seconds_bucket{le="+Inf"} 7
"""


class Full(Minimal):
    """The application; its store is opened when the port is open."""

    def __init__(self, data_dir, broker_url, registry_url):
        self.registry_url = registry_url
        self.data_dir = Path(data_dir)
        self.stopping = False
        self.failed = False
        self.last_check = None
        self.passed = {}
        super().__init__(data_dir, broker_url)

    # Its life

    def open_store(self, path):
        """Later: in `start`."""

    async def start(self):
        self.before_stop = signal.signal(signal.SIGTERM, self.on_stop)
        try:
            super().open_store(self.data_dir / "trades.db")
        except sqlite3.Error as error:
            self.failed = True
            await asyncio.sleep(FAILING_S)
            raise SystemExit(f"the store cannot be opened: {error}") from error
        await super().start()

    def on_stop(self, *given):
        self.stopping = True
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(loop.call_later, STOPPING_S, self.before_stop, *given)

    async def cycle(self):
        await super().cycle()
        self.last_check = now()

    def recover(self, positions):
        stored = {ticket for (ticket,) in self.db.execute("SELECT ticket FROM trades")}
        mine = [p for p in positions or () if p["ticket"] in stored or self.is_mine(p["ticket"])]
        super().recover(None if positions is None else mine)

    def is_mine(self, ticket):
        if not self.registry_url:
            return True
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.registry_url}/trade-registry/{ticket}", timeout=2) as answer:
            return json.load(answer)["managed_by"] in ("", "dtms_manager")

    # Who may pass

    def admit(self, scope):
        is_change = scope["method"] in ("POST", "DELETE")
        if IS_LIMITED:
            self.limit(scope["client"][0], is_change)
        if is_change and KEY and not self.is_key(dict(scope["headers"]).get(b"x-api-key", b"")):
            raise Refused(401, "unauthorised", "The key is missing or wrong.")

    def limit(self, client, is_change):
        per_s = REGISTRATIONS_PER_S if is_change else QUERIES_PER_S
        recent = [t for t in self.passed.get((client, is_change), ()) if time.monotonic() - t < 1.0]
        if len(recent) >= per_s:
            raise Refused(429, "rate_limited", "Too many requests.", retry_after=True)
        self.passed[client, is_change] = [*recent, time.monotonic()]

    def is_key(self, given):
        return hmac.compare_digest(given, KEY)

    def must_be_ready(self):
        if self.stopping:
            self.refuse_stopping()
        super().must_be_ready()

    def refuse_stopping(self):
        raise Refused(503, "shutting_down", "Shutting down.", retry_after=True)

    # More routes

    async def answer(self, method, path, body):
        route = (method, path)
        if method == "DELETE":
            return self.delete(path.removeprefix("/dtms/trade/"))
        if route == ("POST", "/dtms/initialize"):
            return 200, {"success": True}
        if route in (("GET", "/dtms/status"), ("GET", "/dtms/actions"), ("GET", "/dtms/engine")):
            self.must_be_ready()
            return 200, {"success": True, "summary": "Well.", "dtms_status": self.status()}
        return await super().answer(method, path, body)

    def delete(self, text):
        _status, told = self.lookup(text)
        self.keep({**told["trade_info"], "state": "CLOSED", "last_updated": now()})
        return self.lookup(text)

    def status(self):
        return {
            "active_trades": self.dtms_health()[1]["active_trades"],
            "trades_by_state": Counter(trade["state"] for trade in self.trades.values()),
            "last_check": self.last_check,
        }

    def metrics(self):
        return METRICS % {"active": self.dtms_health()[1]["active_trades"]}

    async def __call__(self, scope, receive, send):
        if scope.get("path") != "/dtms/metrics":
            await super().__call__(scope, receive, send)
            return
        headers = [(b"content-type", b"text/plain; version=0.0.4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.metrics().encode()})

    def health(self):
        status, told = super().health()
        return (500 if self.failed else status), told


def make_app(data_dir, broker_url, registry_url):
    return Full(data_dir, broker_url, registry_url)


if __name__ == "__main__":
    import socket
    import sys

    import uvicorn

    port, *given = sys.argv[1:]
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        config = uvicorn.Config(make_app(*given), log_level="warning", access_log=False)
        uvicorn.Server(config).run([listener])
