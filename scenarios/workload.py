"""What services do in an episode, as data: lanes of operations, made from a seed.

A lane is one thread of control inside one service: its operations run one after another, lanes
run beside each other. Nothing here performs anything; a world does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

Via = Literal["register", "helper", "auto", "auto-thread", "auto-loop"]
"""How a service calls its client: awaiting the outcome, through the planned helper, or by
`auto_register_dtms` from plain code, from a thread, from inside a running loop."""

Spelling = Literal["wire", "bot", "desktop", "nested"]
"""Which of the accepted input shapes a service hands to its client."""

FIRST_TICKET = 1001

SYMBOLS = {"XAUUSD": 2350.0, "BTCUSD": 64000.0, "EURUSD": 1.085, "GBPJPY": 197.5, "US30": 39000.0}


@dataclass(frozen=True, slots=True)
class Position:
    """A trade as the broker executed it. Prices in the symbol's currency, `volume` in lots."""

    ticket: int
    symbol: str
    direction: Literal["BUY", "SELL"]
    entry: float
    volume: float
    stop_loss: float | None
    take_profit: float | None
    strategy_type: str | None = None

    def terms(self) -> dict[str, object]:
        """Every field by its name, the ticket first."""
        return {name: getattr(self, name) for name in self.__slots__}

    def data(self, spelling: Spelling = "wire") -> dict[str, object]:
        """The trade as a service would hand it to a registration client, without the ticket."""
        names = _SPELLINGS[spelling]
        given: dict[str, object] = {
            "symbol": self.symbol,
            "direction": self.direction.lower() if spelling == "bot" else self.direction,
            names["entry"]: self.entry,
            names["volume"]: self.volume,
            names["stop_loss"]: self.stop_loss,
            names["take_profit"]: self.take_profit,
        }
        if self.strategy_type is not None:
            given["strategy_type"] = self.strategy_type
        return {"details": given} if spelling == "nested" else given


@dataclass(frozen=True, slots=True)
class Execute:
    """The broker opens the position: from here on it is money at risk."""

    position: Position


@dataclass(frozen=True, slots=True)
class Register:
    """The service hands the trade to its registration client and waits for what it says."""

    position: Position
    via: Via = "register"
    spelling: Spelling = "wire"


@dataclass(frozen=True, slots=True)
class Close:
    """The service closes the registration at the DTMS API (DELETE)."""

    ticket: int


@dataclass(frozen=True, slots=True)
class ClosePosition:
    """The position is closed at the broker."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Wait:
    """The lane pauses for `for_s` seconds."""

    for_s: float


@dataclass(frozen=True, slots=True)
class BadInput:
    """The auditor posts the broken body called `case` straight at the DTMS API."""

    case: str


Operation = Execute | Register | Close | ClosePosition | Wait | BadInput


@dataclass(frozen=True, slots=True)
class Lane:
    """`operations` of `service`, in order, the first at `at_s` seconds into the workload."""

    service: str
    at_s: float
    operations: tuple[Operation, ...]


Workload = Callable[[Random], tuple[Lane, ...]]
"""A generator: the same random source in the same state gives the same lanes."""


@dataclass
class Blotter:
    """Hands out positions with fresh tickets; all variety comes from `random`."""

    random: Random
    next_ticket: int = field(default=FIRST_TICKET)

    def position(self, strategy_type: str | None = None) -> Position:
        symbol = self.random.choice(sorted(SYMBOLS))
        entry = round(SYMBOLS[symbol] * self.random.uniform(0.98, 1.02), 5)
        direction: Literal["BUY", "SELL"] = self.random.choice(("BUY", "SELL"))
        risk = round(entry * self.random.uniform(0.002, 0.01), 5)
        sign = 1 if direction == "BUY" else -1
        ticket, self.next_ticket = self.next_ticket, self.next_ticket + 1
        return Position(
            ticket=ticket,
            symbol=symbol,
            direction=direction,
            entry=entry,
            volume=round(self.random.uniform(0.01, 2.0), 2),
            stop_loss=round(entry - sign * risk, 5) if self.random.random() < 0.9 else None,
            take_profit=round(entry + 2 * sign * risk, 5) if self.random.random() < 0.9 else None,
            strategy_type=strategy_type,
        )

    def spelling(self) -> Spelling:
        return self.random.choice(("wire", "bot", "desktop", "nested"))


def steady(
    services: Sequence[str],
    trades: int,
    over_s: float,
    via: Via = "register",
    strategies: Sequence[str | None] = (None,),
) -> Workload:
    """`trades` trades spread evenly over `over_s` seconds, dealt to `services` in turn."""

    def lanes(random: Random) -> tuple[Lane, ...]:
        blotter = Blotter(random)
        made = []
        for n in range(trades):
            position = blotter.position(strategies[n % len(strategies)])
            steps = (Execute(position), Register(position, via, blotter.spelling()))
            made.append(Lane(services[n % len(services)], n * over_s / trades, steps))
        return tuple(made)

    return lanes


def same_trade(services: Sequence[str], trades: int, spread_s: float = 0.0) -> Workload:
    """Each trade is executed once and registered by every service, within `spread_s`."""

    def lanes(random: Random) -> tuple[Lane, ...]:
        blotter = Blotter(random)
        made = []
        for n in range(trades):
            position = blotter.position()
            start = 0.3 * n
            made.append(Lane("broker", start, (Execute(position),)))
            made.extend(
                Lane(
                    service,
                    start + 0.05 + random.uniform(0, spread_s),
                    (Register(position, "register", blotter.spelling()),),
                )
                for service in services
            )
        return tuple(made)

    return lanes


def conflicting(services: Sequence[str], trades: int) -> Workload:
    """Each trade is registered by every service at once, each with a volume of its own."""

    def lanes(random: Random) -> tuple[Lane, ...]:
        blotter = Blotter(random)
        made = []
        for n in range(trades):
            position = blotter.position()
            made.append(Lane("broker", 0.3 * n, (Execute(position),)))
            for k, service in enumerate(services):
                other = replace(position, volume=round(position.volume + k, 2))
                made.append(Lane(service, 0.3 * n + 0.05, (Register(other),)))
        return tuple(made)

    return lanes


def closing(services: Sequence[str], trades: int) -> Workload:
    """Services register each trade while another closes position and registration."""

    def lanes(random: Random) -> tuple[Lane, ...]:
        blotter = Blotter(random)
        made = []
        for n in range(trades):
            position = blotter.position()
            start = 0.2 * n
            made.append(Lane(services[0], start, (Execute(position), Register(position))))
            made.append(Lane(services[1], start + random.uniform(0, 0.1), (Register(position),)))
            ends = (ClosePosition(position.ticket), Close(position.ticket))
            made.append(Lane(services[1], start + 0.05 + random.uniform(0, 0.2), ends))
        return tuple(made)

    return lanes


def again(services: Sequence[str], trades: int, after_s: float, over_s: float = 1.0) -> Workload:
    """Each trade is registered, and once more by the same service `after_s` later."""

    def lanes(random: Random) -> tuple[Lane, ...]:
        blotter = Blotter(random)
        made = []
        for n in range(trades):
            position = blotter.position()
            service = services[n % len(services)]
            start = n * over_s / trades
            made.append(Lane(service, start, (Execute(position), Register(position))))
            made.append(Lane(service, start + after_s, (Register(position),)))
        return tuple(made)

    return lanes


_SPELLINGS: dict[Spelling, dict[str, str]] = {
    "wire": {
        "entry": "entry_price",
        "volume": "volume",
        "stop_loss": "stop_loss",
        "take_profit": "take_profit",
    },
    "bot": {"entry": "price_executed", "volume": "lot", "stop_loss": "sl", "take_profit": "tp"},
    "desktop": {
        "entry": "price",
        "volume": "volume",
        "stop_loss": "final_sl",
        "take_profit": "final_tp",
    },
    "nested": {
        "entry": "entry_price",
        "volume": "lot",
        "stop_loss": "sl",
        "take_profit": "take_profit",
    },
}
