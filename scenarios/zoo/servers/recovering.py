"""Servers that lose or change at a restart what they had. One planted bug each."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from correct import OPEN, Server, Trade


class ForgetsAtRestart(Server):
    """Stores everything, and never reads it."""

    def recover(self, known: dict[int, Trade], positions: dict[int, Trade] | None) -> None:
        super().recover({}, positions)


class SilenceIsEmpty(Server):
    """Takes a broker that says nothing for one that has no positions."""

    async def ask_broker(self, attempts: int) -> dict[int, Trade] | None:
        positions = await super().ask_broker(1)
        return positions or {} if self.broker_url else None


class StateReset(Server):
    """Restores every registration as open, also those that were closed."""

    def recover(self, known: dict[int, Trade], positions: dict[int, Trade] | None) -> None:
        super().recover({t: replace(trade, state=OPEN) for t, trade in known.items()}, positions)


class ColumnForgotten(Server):
    """Does not read one of the columns."""

    def recover(self, known: dict[int, Trade], positions: dict[int, Trade] | None) -> None:
        super().recover({t: replace(trade, stop_loss=None) for t, trade in known.items()}, None)


class StoreWins(Server):
    """Keeps its own data where the broker's differ, and what the broker closed."""

    def reconcile(self, trade: Trade, position: Trade | None) -> None:
        """Changes nothing."""


class ReadyBeforeRecovered(Server):
    """Says that it is ready while it recovers, and registers on an empty memory."""

    async def start(self) -> None:
        self.store = self.open_store()
        self.ready = True
        await asyncio.sleep(0.5)
        await super().start()


class OwnersNotAsked(Server):
    """Adopts every position, whoever manages it."""

    async def is_mine(self, ticket: int) -> bool | None:
        return True


class NeverReadyAgain(Server):
    """Comes up only where its store is new."""

    async def start(self) -> None:
        self.store = self.open_store()
        if not self.store.load():
            await super().start()


class CrashesOnItsOwnRows(Server):
    """Stores a trade without a target, and does not come up with it."""

    def recover(self, known: dict[int, Trade], positions: dict[int, Trade] | None) -> None:
        if any(trade.take_profit is None for trade in known.values()):
            raise TypeError("float() argument must be a string or a real number, not 'NoneType'")
        super().recover(known, positions)


class RecoversBeforeItListens(Server):
    """Takes its rows out of the store, and puts them back when it is up: a second instance on the
    same store, which never comes up, takes those of the first."""

    @classmethod
    def at(cls, data_dir: str, broker_url: str, registry_url: str) -> Server:
        server = super().at(data_dir, broker_url, registry_url)
        store = server.open_store()
        server.trades = {trade.ticket: trade for trade in store.load()}
        store.clear()
        store.close()
        return server

    def recover(self, known: dict[int, Trade], positions: dict[int, Trade] | None) -> None:
        taken, self.trades = self.trades, {}
        for trade in taken.values():
            self.put(trade)
        super().recover({**known, **taken}, positions)


def forgets_at_restart(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return ForgetsAtRestart.at(data_dir, broker_url, registry_url)


def silence_is_empty(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return SilenceIsEmpty.at(data_dir, broker_url, registry_url)


def state_reset(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return StateReset.at(data_dir, broker_url, registry_url)


def column_forgotten(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return ColumnForgotten.at(data_dir, broker_url, registry_url)


def store_wins(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return StoreWins.at(data_dir, broker_url, registry_url)


def ready_before_recovered(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return ReadyBeforeRecovered.at(data_dir, broker_url, registry_url)


def owners_not_asked(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return OwnersNotAsked.at(data_dir, broker_url, registry_url)


def never_ready_again(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return NeverReadyAgain.at(data_dir, broker_url, registry_url)


def crashes_on_its_own_rows(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return CrashesOnItsOwnRows.at(data_dir, broker_url, registry_url)


def recovers_before_it_listens(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return RecoversBeforeItListens.at(data_dir, broker_url, registry_url)
