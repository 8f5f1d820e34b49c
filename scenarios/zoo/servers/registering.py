"""Servers that register what they must not, or not as they must. One planted bug each."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

from correct import TERMS, Refused, Server, Trade, stamp

LATER_S = 0.3


class MemoryBeforeStore(Server):
    """Acknowledges what is in memory, and writes it to the disk a moment later."""

    def put(self, trade: Trade) -> None:
        self.trades[trade.ticket] = replace(trade, last_updated=stamp())
        asyncio.get_running_loop().call_later(LATER_S, super().put, trade)


class NeverStored(Server):
    """Keeps everything in memory only."""

    def put(self, trade: Trade) -> None:
        self.trades[trade.ticket] = replace(trade, last_updated=stamp())


class CheckThenAct(Server):
    """Looks whether the ticket is there, and registers it a moment later."""

    async def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if method == "POST" and path == "/dtms/trade/enable" and self.ready:
            trade = self.read(body)
            if trade.ticket not in self.trades:
                await asyncio.sleep(0.02)
                self.put(replace(trade, registered_at=stamp()))
                return 200, self.told(self.trades[trade.ticket], already_registered=False)
        return await super().answer(method, path, body)


class RetryIsNew(Server):
    """Calls every registration new, also of a ticket that is there."""

    def enable(self, body: bytes) -> dict[str, Any]:
        return {**super().enable(body), "already_registered": False}


class ConflictOverwritten(Server):
    """Registers other data over those that are there."""

    def enable(self, body: bytes) -> dict[str, Any]:
        try:
            return super().enable(body)
        except Refused as refused:
            if refused.status != 409:
                raise
            trade = self.read(body)
            self.put(replace(self.trades[trade.ticket], **_terms(trade)))
            return self.told(self.trades[trade.ticket], already_registered=True)


class ConflictMerged(Server):
    """Refuses other data, and takes the volume over all the same."""

    def enable(self, body: bytes) -> dict[str, Any]:
        try:
            return super().enable(body)
        except Refused as refused:
            if refused.status == 409:
                trade = self.read(body)
                known = self.trades[trade.ticket]
                self.put(replace(known, volume=known.volume + trade.volume))
            raise


class SameIsConflict(Server):
    """Calls the same data a conflict."""

    def enable(self, body: bytes) -> dict[str, Any]:
        told = super().enable(body)
        if told["already_registered"]:
            raise Refused(409, "ticket_conflict", "it is registered", told["trade_info"])
        return told


class StringTickets(Server):
    """Takes "3" for 3."""

    def read(self, body: bytes) -> Trade:
        try:
            given = json.loads(body)
            given["ticket"] = int(given["ticket"])
            return super().read(json.dumps(given).encode())
        except (ValueError, TypeError, KeyError, RecursionError):
            return super().read(body)


class NanAccepted(Server):
    """Compares with "greater than zero" the wrong way round, which NaN passes."""

    def number(self, given: dict[str, Any], name: str) -> float:
        value = given.get(name)
        return value if isinstance(value, float) and value != value else super().number(given, name)


class WrongSideAccepted(Server):
    """Registers stops that would trigger at once."""

    def read(self, body: bytes) -> Trade:
        try:
            return super().read(body)
        except Refused as refused:
            if "side" not in str(refused):
                raise
            given = json.loads(body)
            given.update(entry_price=given["entry"], state="HEALTHY")
            names = ("ticket", *TERMS)
            return Trade(**{name: given.get(name) for name in names})


class PricesRounded(Server):
    """Stores prices with two decimals."""

    def read(self, body: bytes) -> Trade:
        trade = super().read(body)
        return replace(trade, entry_price=round(trade.entry_price, 2))


class StopIgnored(Server):
    """Does not register stops of short positions."""

    def read(self, body: bytes) -> Trade:
        trade = super().read(body)
        return replace(trade, stop_loss=None) if trade.direction == "SELL" else trade


class LockTakenTwice(Server):
    """Waits, on the way to "already registered", for a lock that it holds."""

    async def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if method != "POST":
            return await super().answer(method, path, body)
        async with _lock:
            status, told = await super().answer(method, path, body)
            if told.get("already_registered"):
                async with _lock:
                    pass
            return status, told


class BlocksTheLoop(Server):
    """Computes for a tenth of a second in the middle of everything else."""

    def put(self, trade: Trade) -> None:
        time.sleep(0.2)
        super().put(trade)


class CloseForgotten(Server):
    """Says that it closed a registration, and goes on."""

    def close(self, ticket: int) -> dict[str, Any]:
        told = self.look_up(ticket)
        return {**told, "state": "CLOSED"}


def _terms(trade: Trade) -> dict[str, Any]:
    return {name: getattr(trade, name) for name in TERMS}


_lock = asyncio.Lock()


def memory_before_store(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return MemoryBeforeStore.at(data_dir, broker_url, registry_url)


def never_stored(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return NeverStored.at(data_dir, broker_url, registry_url)


def check_then_act(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return CheckThenAct.at(data_dir, broker_url, registry_url)


def retry_is_new(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return RetryIsNew.at(data_dir, broker_url, registry_url)


def conflict_overwritten(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return ConflictOverwritten.at(data_dir, broker_url, registry_url)


def conflict_merged(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return ConflictMerged.at(data_dir, broker_url, registry_url)


def same_is_conflict(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return SameIsConflict.at(data_dir, broker_url, registry_url)


def string_tickets(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return StringTickets.at(data_dir, broker_url, registry_url)


def nan_accepted(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return NanAccepted.at(data_dir, broker_url, registry_url)


def wrong_side_accepted(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return WrongSideAccepted.at(data_dir, broker_url, registry_url)


def prices_rounded(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return PricesRounded.at(data_dir, broker_url, registry_url)


def stop_ignored(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return StopIgnored.at(data_dir, broker_url, registry_url)


def lock_taken_twice(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return LockTakenTwice.at(data_dir, broker_url, registry_url)


def blocks_the_loop(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return BlocksTheLoop.at(data_dir, broker_url, registry_url)


def close_forgotten(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return CloseForgotten.at(data_dir, broker_url, registry_url)
