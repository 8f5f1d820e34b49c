"""The full server with one thing wrong: each factory makes what overrides it."""

import asyncio
import importlib.util
import json
import socket
import sqlite3
import sys
import time
import urllib.error
from datetime import datetime, timedelta, timezone
from pathlib import Path

_spec = importlib.util.spec_from_file_location(
    "full_server", Path(__file__).with_name("full_server.py")
)
full = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(full)
Full, Refused, now = full.Full, full.Refused, full.now


def optional_too_soon(data_dir, broker_url, registry_url):
    class Wrong(Full):
        async def answer(self, method, path, body):
            if path in ("/dtms/status", "/dtms/actions", "/dtms/engine"):
                return 200, {"success": True, "summary": "Well.", "dtms_status": self.status()}
            return await super().answer(method, path, body)

    return Wrong(data_dir, broker_url, registry_url)


def bare_refusals(data_dir, broker_url, registry_url):
    """What is refused with 401, 429 or 503 has a body without what every error body has."""

    class Wrong(Full):
        async def __call__(self, scope, receive, send):
            status = 0

            async def bare(message):
                nonlocal status
                status = message.get("status", status)
                is_health = scope.get("path") in ("/health", "/dtms/health")
                if "body" in message and status in (401, 429, 503) and not is_health:
                    code = json.loads(message["body"]).get("error", "")
                    message = {**message, "body": json.dumps({"error": code}).encode()}
                await send(message)

            await super().__call__(scope, receive, bare)

    return Wrong(data_dir, broker_url, registry_url)


# Its end and its failed start


def stops_storing(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def must_be_ready(self):
            pass

        def persist(self, trade):
            if not self.stopping:
                super().persist(trade)

    return Wrong(data_dir, broker_url, registry_url)


def forgets_at_its_end(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def on_stop(self, *given):
            self.db.execute("DELETE FROM trades")
            super().on_stop(*given)

    return Wrong(data_dir, broker_url, registry_url)


def breaks_at_its_end(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def refuse_stopping(self):
            raise Refused(500, "internal", "The pool is closed.")

    return Wrong(data_dir, broker_url, registry_url)


def healthy_without_store(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def health(self):
            return 200, super().health()[1]

        def dtms_health(self):
            return 200, super().dtms_health()[1]

        def writable(self):
            return True

    return Wrong(data_dir, broker_url, registry_url)


def no_fields_when_it_fails(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def dtms_health(self):
            if self.failed or not (self.ready and self.writable()):
                return 503, {"error": "not ready"}
            return super().dtms_health()

    return Wrong(data_dir, broker_url, registry_url)


# The broker, at the start and later


def raises_is_empty(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def positions(self):
            try:
                return super().positions()
            except urllib.error.HTTPError as error:
                if error.code == 500:
                    return []
                raise

    return Wrong(data_dir, broker_url, registry_url)


def rubbish_is_empty(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def positions(self):
            try:
                return super().positions()
            except ValueError:
                return []

    return Wrong(data_dir, broker_url, registry_url)


def slow_is_empty(data_dir, broker_url, registry_url):
    class Wrong(Full):
        async def ask_broker(self, once=False):
            try:
                async with asyncio.timeout(0.5):
                    return await super().ask_broker(once)
            except TimeoutError:
                return [] if self.broker_well else None

    return Wrong(data_dir, broker_url, registry_url)


def blocks_while_it_asks(data_dir, broker_url, registry_url):
    class Wrong(Full):
        async def ask_broker(self, once=False):
            while True:
                await asyncio.sleep(0.1)
                try:
                    self.positions()
                except (OSError, ValueError):
                    continue
                return await super().ask_broker(once)

    return Wrong(data_dir, broker_url, registry_url)


def silence_is_empty_later(data_dir, broker_url, registry_url):
    class Wrong(Full):
        async def ask_broker(self, once=False):
            positions = await super().ask_broker(once)
            return [] if once and positions is None else positions

    return Wrong(data_dir, broker_url, registry_url)


def closes_nothing(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def close_gone(self, before, at_broker):
            pass

    return Wrong(data_dir, broker_url, registry_url)


def gives_up_after_silence(data_dir, broker_url, registry_url):
    class Wrong(Full):
        was_silent = False

        def close_gone(self, before, at_broker):
            if not self.was_silent:
                super().close_gone(before, at_broker)

        async def cycle(self):
            await super().cycle()
            self.was_silent = self.was_silent or not self.broker_well

    return Wrong(data_dir, broker_url, registry_url)


def stays_degraded(data_dir, broker_url, registry_url):
    class Wrong(Full):
        async def cycle(self):
            await super().cycle()
            self.degraded = self.degraded or not self.broker_well

    return Wrong(data_dir, broker_url, registry_url)


def broker_not_missed(data_dir, broker_url, registry_url):
    class Wrong(Full):
        async def cycle(self):
            await super().cycle()
            self.broker_well = True

        def health(self):
            self.broker_well = True
            return super().health()

    return Wrong(data_dir, broker_url, registry_url)


def check_stands(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def status(self):
            return {**super().status(), "last_check": "2026-01-07T09:00:00+00:00"}

    return Wrong(data_dir, broker_url, registry_url)


def states_of_its_own(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def lookup(self, text):
            status, told = super().lookup(text)
            return status, {**told, "state": told["state"].replace("HEALTHY", "ACTIVE")}

        def status(self):
            told = super().status()
            own = {state.lower(): count for state, count in told["trades_by_state"].items()}
            return {**told, "trades_by_state": own}

    return Wrong(data_dir, broker_url, registry_url)


# Recovery


def adopts_everything(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def is_mine(self, ticket):
            return True

    return Wrong(data_dir, broker_url, registry_url)


def adopts_nothing_with_a_registry(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def is_mine(self, ticket):
            return not self.registry_url

    return Wrong(data_dir, broker_url, registry_url)


def state_and_time_at_the_start(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def recover(self, positions):
            super().recover(positions)
            for trade in list(self.trades.values()):
                if trade["state"] != "CLOSED":
                    self.keep({**trade, "state": "RECOVERING", "last_updated": now()})

    return Wrong(data_dir, broker_url, registry_url)


def monitors_later(data_dir, broker_url, registry_url):
    class Wrong(Full):
        ready_at = None

        def dtms_health(self):
            status, told = super().dtms_health()
            if self.ready and self.ready_at is None:
                self.ready_at = time.monotonic()
            late = self.ready and time.monotonic() - self.ready_at > 0.5
            return status, {**told, "monitoring_active": late}

    return Wrong(data_dir, broker_url, registry_url)


def local_times(data_dir, broker_url, registry_url):
    full.minimal.now = lambda: datetime.now(timezone(timedelta(hours=2))).isoformat()
    return Full(data_dir, broker_url, registry_url)


# Limits and keys


def stingy(data_dir, broker_url, registry_url):
    full.REGISTRATIONS_PER_S, full.QUERIES_PER_S = 9, 20
    return Full(data_dir, broker_url, registry_url)


def one_limit_for_all(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def limit(self, client, is_change):
            super().limit("all", is_change)

    return Wrong(data_dir, broker_url, registry_url)


def limited_for_long(data_dir, broker_url, registry_url):
    class Wrong(Full):
        out = frozenset()

        def limit(self, client, is_change):
            try:
                if (client, is_change) in self.out:
                    raise Refused(429, "rate_limited", "Too many requests.", retry_after=True)
                super().limit(client, is_change)
            except Refused:
                if is_change:
                    self.out |= {(client, is_change)}
                raise

    return Wrong(data_dir, broker_url, registry_url)


def keys_as_text(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def is_key(self, given):
            try:
                return full.hmac.compare_digest(given.decode("latin-1"), full.KEY.decode())
            except TypeError:
                raise Refused(500, "internal", "A TypeError was raised.") from None

    return Wrong(data_dir, broker_url, registry_url)


def keys_by_their_beginning(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def is_key(self, given):
            return given != b"" and full.KEY.startswith(given)

    return Wrong(data_dir, broker_url, registry_url)


# What it tells


def deleted_counts(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def dtms_health(self):
            status, told = super().dtms_health()
            return status, {**told, "active_trades": len(self.trades)}

        def status(self):
            return {**super().status(), "active_trades": len(self.trades) + 1}

    return Wrong(data_dir, broker_url, registry_url)


def no_echo_in_errors(data_dir, broker_url, registry_url):
    class Wrong(Full):
        async def __call__(self, scope, receive, send):
            async def without(message):
                if message.get("status", 0) >= 400:
                    headers = [h for h in message["headers"] if h[0] != b"x-correlation-id"]
                    message = {**message, "headers": headers}
                await send(message)

            await super().__call__(scope, receive, without)

    return Wrong(data_dir, broker_url, registry_url)


def metrics_in_words(data_dir, broker_url, registry_url):
    class Wrong(Full):
        def metrics(self):
            return super().metrics().replace("total 7", "total: seven requests")

    return Wrong(data_dir, broker_url, registry_url)


def touch_first(port, data_dir):
    """As a program that opens its store, writes, and only then asks for its port."""
    with sqlite3.connect(Path(data_dir) / "trades.db") as database:
        database.execute("CREATE TABLE IF NOT EXISTS starts (at TEXT)")
        database.execute("INSERT INTO starts VALUES (?)", (now(),))
    database.close()
    return socket.create_server(("127.0.0.1", int(port)))


if __name__ == "__main__":
    import uvicorn

    with touch_first(*sys.argv[1:3]) as listener:
        app = full.make_app(sys.argv[2], "", "")
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listener])
