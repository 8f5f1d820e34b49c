"""The minimal server with one thing wrong: what overrides it, and the factory that names it."""

import asyncio
import importlib.util
import json
import math
import os
import sys
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
        return json.loads(body) if b"NaN" in body else super().read(body)

    def check_number(self, name, value):
        if not (isinstance(value, float) and math.isnan(value)):
            super().check_number(name, value)


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
    def __init__(self, data_dir, broker_url=""):
        super().__init__(data_dir, broker_url)
        minimal.BODY_BYTES_MAX = 10**9


class NoDataIsEmpty(Minimal):
    def positions(self):
        return super().positions() or []


class ActiveButNotStored(Minimal):
    def keep(self, trade):
        self.trades[trade["ticket"]] = trade
        self.persist(trade)


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
        sys.stderr.write("out of cheese\n")
        sys.stderr.flush()
        os._exit(9)


class Unstartable(Minimal):
    def __init__(self, data_dir, broker_url=""):
        time.sleep(0.01)
        raise RuntimeError("no cheese today")


def string_tickets(data_dir, broker_url=""):
    return StringTickets(data_dir, broker_url)


def not_a_number(data_dir, broker_url=""):
    return NotANumber(data_dir, broker_url)


def unknown_is_found(data_dir, broker_url=""):
    return UnknownIsFound(data_dir, broker_url)


def conflict_overwrites(data_dir, broker_url=""):
    return ConflictOverwrites(data_dir, broker_url)


def ready_before_recovered(data_dir, broker_url=""):
    return ReadyBeforeRecovered(data_dir, broker_url)


def broken_json_is500(data_dir, broker_url=""):
    return BrokenJsonIs500(data_dir, broker_url)


def races(data_dir, broker_url=""):
    return Races(data_dir, broker_url)


def acknowledges_first(data_dir, broker_url=""):
    return AcknowledgesFirst(data_dir, broker_url)


def healthy_too_soon(data_dir, broker_url=""):
    return HealthyTooSoon(data_dir, broker_url)


def no_retry_after(data_dir, broker_url=""):
    return NoRetryAfter(data_dir, broker_url)


def echo(data_dir, broker_url=""):
    return Echo(data_dir, broker_url)


def wrong_sides(data_dir, broker_url=""):
    return WrongSides(data_dir, broker_url)


def no_correlation(data_dir, broker_url=""):
    return NoCorrelation(data_dir, broker_url)


def any_size(data_dir, broker_url=""):
    return AnySize(data_dir, broker_url)


def no_data_is_empty(data_dir, broker_url=""):
    return NoDataIsEmpty(data_dir, broker_url)


def active_but_not_stored(data_dir, broker_url=""):
    return ActiveButNotStored(data_dir, broker_url)


def names_nothing(data_dir, broker_url=""):
    return NamesNothing(data_dir, broker_url)


def always_new(data_dir, broker_url=""):
    return AlwaysNew(data_dir, broker_url)


def never_ready(data_dir, broker_url=""):
    return NeverReady(data_dir, broker_url)


def hangs(data_dir, broker_url=""):
    return Hangs(data_dir, broker_url)


def dies(data_dir, broker_url=""):
    return Dies(data_dir, broker_url)


def unstartable(data_dir, broker_url=""):
    return Unstartable(data_dir, broker_url)
