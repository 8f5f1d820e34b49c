"""The minimal server with one thing wrong: a class that overrides it, and the factory to name it."""

import asyncio
import importlib.util
import json
import math
import os
import sqlite3
import time
from pathlib import Path

_spec = importlib.util.spec_from_file_location(
    "minimal_server", Path(__file__).with_name("minimal_server.py")
)
minimal = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(minimal)
Minimal, Refused, new_trade = minimal.Minimal, minimal.Refused, minimal.new_trade


class StringTickets(Minimal):
    def check(self, payload):
        if isinstance(payload, dict) and str(payload.get("ticket")).isdigit():
            payload["ticket"] = int(str(payload["ticket"]))
        super().check(payload)


class NotANumber(Minimal):
    def read(self, body):
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            return super().read(body)

    def check_number(self, name, value):
        if not (isinstance(value, float) and math.isnan(value)):
            super().check_number(name, value)

    def known(self, known, trade):
        return known, True


class UnknownIsFound(Minimal):
    def lookup(self, text):
        try:
            return super().lookup(text)
        except Refused as error:
            if error.status != 404:
                raise
            return 200, {"success": True, "trade_info": None}


class ConflictOverwrites(Minimal):
    def known(self, known, trade):
        try:
            return super().known(known, trade)
        except Refused:
            self.keep(trade)
            raise


class ReadyBeforeRecovered(Minimal):
    async def start(self):
        self.ready = True
        await asyncio.sleep(0.3)
        await super().start()


class BrokenJsonIs500(Minimal):
    def read(self, body):
        try:
            return super().read(body)
        except Refused as error:
            if error.status == 400:
                raise Refused(500, "internal", "Something went wrong.") from None
            raise


class Races(Minimal):
    async def register(self, payload):
        trade = new_trade({**payload, "entry_price": payload["entry"]})
        known = self.trades.get(trade["ticket"])
        await asyncio.sleep(0.01)
        if known is not None:
            return self.known(known, trade)
        self.keep(trade)
        return trade, False


class AcknowledgesFirst(Minimal):
    def persist(self, trade):
        asyncio.get_running_loop().call_later(1.0, super().persist, trade)


class HealthyTooSoon(Minimal):
    def health(self):
        return 200, super().health()[1] | {"status": "healthy"}


class NoRetryAfter(Minimal):
    def headers(self, correlation_id, retry_after):
        return super().headers(correlation_id, False)


class Echo(Minimal):
    async def register(self, payload):
        return new_trade({**payload, "entry_price": payload["entry"]}), False


class WrongSides(Minimal):
    def check_stops(self, payload):
        pass


class NoCorrelation(Minimal):
    def headers(self, correlation_id, retry_after):
        return super().headers(b"always-this", retry_after)


class AnySize(Minimal):
    def read(self, body):
        return super().read(body[:BODY])

    async def __call__(self, scope, receive, send):
        minimal.BODY_BYTES_MAX = 10**9
        await super().__call__(scope, receive, send)


BODY = 10**9


class NoDataIsEmpty(Minimal):
    def positions(self):
        return super().positions() or []


class StoreFailureIsTaken(Minimal):
    def keep(self, trade):
        self.trades[trade["ticket"]] = trade
        try:
            self.persist(trade)
        except sqlite3.Error:
            raise

    async def register(self, payload):
        try:
            return await super().register(payload)
        except sqlite3.Error:
            raise Refused(503, "not_persisted", "The store failed.") from None


class NamesNothing(Minimal):
    async def answer(self, method, path, body):
        try:
            return await super().answer(method, path, body)
        except Refused as error:
            if error.status == 422:
                raise Refused(422, "invalid_request", "Something is wrong.") from None
            raise


class AlwaysNew(Minimal):
    def known(self, known, trade):
        return super().known(known, trade)[0], False


class NeverReady(Minimal):
    async def start(self):
        pass


class Hangs(Minimal):
    async def enable(self, body):
        await asyncio.sleep(600)


class Dies(Minimal):
    async def enable(self, body):
        print("wrong_servers: out of cheese", file=__import__("sys").stderr, flush=True)
        os._exit(9)


class Unstartable(Minimal):
    def __init__(self, data_dir, broker_url=""):
        time.sleep(0.01)
        raise RuntimeError("no cheese today")
