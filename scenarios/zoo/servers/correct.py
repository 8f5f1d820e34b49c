"""A correct DTMS API, written from the contract alone: it shares nothing with the simulator.

An ASGI application by hand on SQLite, one commit for each registration. Each rule is a method, so
that a bug can be planted by exchanging one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

BODY_BYTES_MAX = 64 * 1024
TICKET_MAX = 2**63 - 1
SYMBOL_CHARS_MAX = 32
VOLUME_MAX = 1000.0
BROKER_TIMEOUT_S = 2.0
BROKER_PAUSE_S = 0.25
BROKER_ATTEMPTS = 20
"""Then the store's word is taken, and the broker is asked again by the monitor."""
MONITOR_S = 1.0
WATCHED_CYCLES = 5
"""For so many cycles of the monitor another owner of a trade may still come up."""
OPEN, CLOSED = "HEALTHY", "CLOSED"
TERMS = ("symbol", "direction", "entry_price", "volume", "stop_loss", "take_profit")
TABLE = """create table if not exists trades (
    ticket integer primary key, symbol text, direction text, entry_price real, volume real,
    stop_loss real, take_profit real, state text, registered_at text, last_updated text)"""

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Trade:
    """A registration. Prices in the symbol's currency, volume in lots, times in UTC."""

    ticket: int
    symbol: str
    direction: str
    entry_price: float
    volume: float
    stop_loss: float | None
    take_profit: float | None
    state: str = OPEN
    registered_at: str = ""
    last_updated: str = ""

    def info(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self.__slots__}
        return {**told, "protection_active": self.state != CLOSED}

    def same_terms(self, other: Trade) -> bool:
        return all(getattr(self, name) == getattr(other, name) for name in TERMS)


class Refused(Exception):
    """Answered with this status and error code."""

    def __init__(
        self, status: int, code: str, message: str, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.details = status, code, details or {}


class Store:
    """The table of trades in a file; what `save` returned from is on the disk."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=full")
        self._db.execute(TABLE)

    def save(self, trade: Trade) -> None:
        row = [getattr(trade, name) for name in trade.__slots__]
        self._db.execute(f"insert or replace into trades values ({','.join('?' * len(row))})", row)

    def load(self) -> list[Trade]:
        return [Trade(*row) for row in self._db.execute("select * from trades order by ticket")]

    def takes_rows(self) -> bool:
        """Whether a row can be written now; none is left."""
        try:
            self._db.execute("insert into trades (ticket) values (0)")
            self._db.execute("delete from trades where ticket = 0")
        except sqlite3.Error:
            return False
        return True

    def clear(self) -> None:
        self._db.execute("delete from trades")

    def close(self) -> None:
        self._db.close()


@dataclass
class Server:
    """One process's life. `trades` holds nothing that the store does not."""

    folder: Path
    broker_url: str = ""
    registry_url: str = ""
    ready: bool = False
    broker_seen: bool = True
    recovered: bool = False
    """With the broker's answer."""
    set_aside: bool = False
    unwritable: bool = False
    """The last row could not be written."""
    trades: dict[int, Trade] = field(default_factory=dict)
    strays: dict[int, Trade] = field(default_factory=dict)
    """Open at the broker, and nobody could say yet whose they are."""
    watched: dict[int, int] = field(default_factory=dict)
    """For how many cycles another owner of the ticket may still come up."""
    store: Store | None = None
    monitor: asyncio.Task[None] | None = None

    @classmethod
    def at(cls, data_dir: str, broker_url: str, registry_url: str) -> Server:
        """One that keeps its file in a folder; URLs are empty where there is nobody."""
        return cls(Path(data_dir), broker_url, registry_url)

    # Its life.

    async def start(self) -> None:
        """The port opens while this goes on; `ready` comes last."""
        try:
            self.store = self.open_store()
        except (sqlite3.Error, OSError) as error:
            raise SystemExit(f"the store cannot be opened: {error}") from error
        known = {trade.ticket: trade for trade in self.store.load()}
        positions = await self.ask_broker(BROKER_ATTEMPTS)
        self.recover(known, positions)
        await self.adopt()
        self.monitor = asyncio.ensure_future(self.watch())
        self.ready = True

    def open_store(self) -> Store:
        """A file that is no database is set aside."""
        path = self.folder / "dtms.sqlite"
        try:
            return Store(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # A disk that fails is no corrupt file.
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                with contextlib.suppress(FileNotFoundError):
                    (self.folder / name).rename(self.folder / f"{name}.{stamp('%H%M%S%f')}.corrupt")
            self.set_aside = True
            return Store(path)

    async def stop(self) -> None:
        self.ready = False
        if self.monitor is not None:
            self.monitor.cancel()
        if self.store is not None:
            self.store.close()

    async def ask_broker(self, attempts: int) -> dict[int, Trade] | None:
        """Open positions by ticket; None where the broker does not say."""
        for attempt in range(attempts if self.broker_url else 0):
            if attempt:
                await asyncio.sleep(BROKER_PAUSE_S)
            body = await get(f"{self.broker_url}/positions")
            listed = body.get("positions") if isinstance(body, dict) else None
            self.broker_seen = isinstance(listed, list)
            if isinstance(listed, list):
                return {position["ticket"]: Trade(**position) for position in listed}
        return None

    def recover(self, known: dict[int, Trade], positions: dict[int, Trade] | None) -> None:
        """Sets `trades` from what the store knows and what the broker has."""
        self.recovered = positions is not None
        for ticket, trade in known.items():
            self.trades[ticket] = trade
            if self.registry_url and trade.state != CLOSED:
                self.watched[ticket] = WATCHED_CYCLES
            if positions is not None and trade.state != CLOSED:
                self.reconcile(trade, positions.get(ticket))
        self.strays = {t: p for t, p in (positions or {}).items() if t not in known}

    async def adopt(self) -> None:
        """Takes what is open at the broker and nobody else's."""
        for ticket, position in tuple(self.strays.items()):
            mine = await self.is_mine(ticket)
            if mine is not None:
                del self.strays[ticket]
            if mine and ticket not in self.trades:
                self.put(replace(position, registered_at=stamp()))

    async def is_mine(self, ticket: int) -> bool | None:
        """None where the registry does not say; without one, every trade is DTMS's."""
        if not self.registry_url:
            return True
        body = await get(f"{self.registry_url}/trade-registry/{ticket}")
        owner = body.get("managed_by") if isinstance(body, dict) else None
        return owner in ("", "dtms_manager") if isinstance(owner, str) else None

    async def give_back(self) -> None:
        """What another manager turns out to own."""
        for ticket, cycles in tuple(self.watched.items()):
            if await self.is_mine(ticket) is False:
                self.put(replace(self.trades[ticket], state=CLOSED))
                cycles = 0
            self.watched[ticket] = cycles - 1
            if cycles <= 1:
                del self.watched[ticket]

    def reconcile(self, trade: Trade, position: Trade | None) -> None:
        """The broker's data win; a position that is gone is closed."""
        if position is None:
            self.put(replace(trade, state=CLOSED))
        elif not trade.same_terms(position):
            terms = {name: getattr(position, name) for name in TERMS}
            self.put(replace(trade, **terms))

    async def watch(self) -> None:
        """Closes what is gone at the broker, and finishes what could not be at the start."""
        while True:
            await asyncio.sleep(MONITOR_S)
            # What is registered while the broker is asked may be missing from its answer.
            before = tuple(self.trades)
            positions = await self.ask_broker(1)
            with contextlib.suppress(Refused):  # The store failed: again in the next cycle.
                if positions is not None:
                    self.compare({ticket: self.trades[ticket] for ticket in before}, positions)
                await self.adopt()
                await self.give_back()

    def compare(self, known: dict[int, Trade], positions: dict[int, Trade]) -> None:
        """The first time that the broker answers this is the recovery; later, who is gone?"""
        if not self.recovered:
            self.recover(known, positions)
        else:
            for ticket, trade in known.items():
                if ticket not in positions and trade.state != CLOSED:
                    self.reconcile(trade, None)

    # Its rules.

    def enable(self, body: bytes) -> dict[str, Any]:
        """Registers, or says that it is registered. Raises `Refused`."""
        self.require_ready()
        trade = self.read(body)
        known = self.trades.get(trade.ticket)
        if known is None:
            self.put(replace(trade, registered_at=stamp()))
            return self.told(self.trades[trade.ticket], already_registered=False)
        if not known.same_terms(trade):
            message = f"ticket {trade.ticket} is registered with other terms"
            raise Refused(409, "ticket_conflict", message, known.info())
        return self.told(known, already_registered=True)

    def put(self, trade: Trade) -> None:
        """On the disk first, then in memory. Raises `Refused`."""
        assert self.store is not None
        trade = replace(trade, last_updated=stamp())
        try:
            self.store.save(trade)
            self.unwritable = False
        except sqlite3.Error as error:
            self.unwritable = True
            raise Refused(503, "not_persisted", str(error)) from error
        if trade.ticket not in self.trades and self.registry_url:
            self.watched[trade.ticket] = WATCHED_CYCLES
        self.trades[trade.ticket] = trade

    def look_up(self, ticket: int) -> dict[str, Any]:
        self.require_ready()
        trade = self.trades.get(ticket)
        if trade is None:
            raise Refused(404, "unknown_ticket", f"ticket {ticket} is not registered")
        return self.told(trade)

    def close(self, ticket: int) -> dict[str, Any]:
        self.look_up(ticket)
        self.put(replace(self.trades[ticket], state=CLOSED))
        return self.told(self.trades[ticket])

    def told(self, trade: Trade, **more: Any) -> dict[str, Any]:
        summary = f"{trade.symbol} {trade.direction} {trade.volume} is {trade.state}"
        info = trade.info()
        return {
            "success": True,
            "summary": summary,
            "state": trade.state,
            "trade_info": info,
            **more,
        }

    def health(self) -> tuple[int, dict[str, Any]]:
        active = sum(trade.state != CLOSED for trade in self.trades.values())
        body = {
            "dtms_initialized": self.ready,
            "monitoring_active": self.ready,
            "active_trades": active,
            "ready": self.ready,
            "timestamp": stamp(),
        }
        return (200, body) if self.ready else (503, {**body, "error": "not_ready"})

    def whole_health(self) -> tuple[int, dict[str, Any]]:
        """With all that it depends on; a store that failed is tried again."""
        status, told = self.health()
        if self.unwritable and self.store is not None:
            self.unwritable = not self.store.takes_rows()
        word = "healthy" if status == 200 else "unhealthy"
        if status == 200 and (self.unwritable or self.set_aside or not self.broker_seen):
            status, word = 503, "degraded"
        return status, {**told, "status": word, "dtms_available": self.ready}

    def require_ready(self) -> None:
        if not self.ready:
            raise Refused(503, "not_ready", "the API is starting or shutting down")

    def read(self, body: bytes) -> Trade:
        """Strictly. Raises `Refused` with 413, 400 or 422, which names the field."""
        if len(body) > BODY_BYTES_MAX:
            raise Refused(413, "too_large", f"at most {BODY_BYTES_MAX} bytes")
        try:
            given = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Refused(400, "invalid_json", f"the body is not JSON: {error}") from error
        if not isinstance(given, dict):
            raise self.wrong("body", "must be an object")
        ticket = given.get("ticket")
        if type(ticket) is not int or not 1 <= ticket <= TICKET_MAX:
            raise self.wrong("ticket", "must be a positive integer")
        symbol = given.get("symbol")
        if not isinstance(symbol, str) or not 1 <= len(symbol) <= SYMBOL_CHARS_MAX:
            raise self.wrong("symbol", f"must be text of 1 to {SYMBOL_CHARS_MAX} characters")
        if not symbol.isprintable():
            raise self.wrong("symbol", "must be printable")
        direction = given.get("direction")
        if direction not in ("BUY", "SELL"):
            raise self.wrong("direction", "must be BUY or SELL")
        entry, volume = self.number(given, "entry"), self.number(given, "volume")
        if volume > VOLUME_MAX:
            raise self.wrong("volume", f"at most {VOLUME_MAX:g}")
        stop = self.optional(given, "stop_loss")
        target = self.optional(given, "take_profit")
        sign = 1 if direction == "BUY" else -1
        if stop is not None and sign * (entry - stop) <= 0:
            raise self.wrong("stop_loss", "is on the wrong side of the entry")
        if target is not None and sign * (target - entry) <= 0:
            raise self.wrong("take_profit", "is on the wrong side of the entry")
        return Trade(ticket, symbol, direction, entry, volume, stop, target)

    def optional(self, given: dict[str, Any], name: str) -> float | None:
        return None if given.get(name) is None else self.number(given, name)

    def number(self, given: dict[str, Any], name: str) -> float:
        value = given.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, "must be a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number) or number <= 0:
            raise self.wrong(name, "must be finite and greater than zero")
        return number

    def wrong(self, name: str, reason: str) -> Refused:
        return Refused(422, "invalid_request", f"{name}: {reason}", {"field": name})

    # Its routes.

    async def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Status and body of one request."""
        match method, path.strip("/").split("/"):
            case "POST", ["dtms", "trade", "enable"]:
                return 200, self.enable(body)
            case "GET", ["dtms", "trade", ticket]:
                return 200, self.look_up(self.ticket(ticket))
            case "DELETE", ["dtms", "trade", ticket]:
                return 200, self.close(self.ticket(ticket))
            case "GET", ["dtms", "health"]:
                return self.health()
            case "GET", ["health"]:
                return self.whole_health()
        raise Refused(404, "not_found", f"there is no {method} {path}")

    def ticket(self, word: str) -> int:
        if not word.isdecimal() or not 1 <= int(word) <= TICKET_MAX:
            raise self.wrong("ticket", "must be a positive integer")
        return int(word)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        elif scope["type"] == "http":
            body = await read_body(receive)
            try:
                status, told = await self.answer(scope["method"], scope["path"], body)
            except Refused as refused:
                status = refused.status
                told = {"error": refused.code, "message": str(refused), "details": refused.details}
            await respond(scope, send, status, told)

    async def live(self, receive: Receive, send: Send) -> None:
        starting: asyncio.Task[None] | None = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                starting = asyncio.ensure_future(self.start())
                await send({"type": "lifespan.startup.complete"})
            else:
                if starting is not None:
                    starting.cancel()
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def stamp(form: str = "%Y-%m-%dT%H:%M:%S.%fZ") -> str:
    return datetime.now(UTC).strftime(form)


async def get(url: str) -> Any:
    """The decoded answer; None where there is none with status 200."""
    try:
        async with httpx.AsyncClient(
            verify=False, trust_env=False, timeout=BROKER_TIMEOUT_S
        ) as http:
            response = await http.get(url)
            return response.json() if response.status_code == 200 else None
    except (httpx.HTTPError, ValueError):
        return None


async def read_body(receive: Receive) -> bytes:
    """Of a request that is too large, only so much as shows it."""
    body = b""
    while len(body) <= BODY_BYTES_MAX:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body


async def respond(scope: Scope, send: Send, status: int, told: Any) -> None:
    asked = dict(scope["headers"]).get(b"x-correlation-id", b"none")
    if isinstance(told, dict) and "message" in told:
        told["correlation_id"] = asked.decode("latin-1")
    headers = [(b"content-type", b"application/json"), (b"x-correlation-id", asked)]
    if status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


def make_app(data_dir: str, broker_url: str, registry_url: str) -> Server:
    """What the lab calls at every start."""
    return Server.at(data_dir, broker_url, registry_url)
