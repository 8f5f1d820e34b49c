"""What a check is: one statement of the contract, and how a server shows that it keeps it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn

from scenarios.contract.exchange import Exchange

if TYPE_CHECKING:
    from scenarios.contract.bench import Bench

Level = Literal["MUST", "SHOULD"]
Need = Literal["own", "broker", "registry", "port", "optional"]
"""`own`: the lab starts, kills and restarts the server. `broker`, `registry`: the server asks one.
`port`: the server opens its port itself.
`optional`: an endpoint besides enable, look-up and health."""


@dataclass(frozen=True, slots=True)
class Check:
    """`prove` returns where the statement holds; else it raises `Failed` or `Undecided`."""

    name: str
    level: Level
    topic: str
    statement: str
    prove: Callable[[Bench], None]
    needs: frozenset[Need] = frozenset()


class Failed(Exception):
    """The statement does not hold; `exchange` shows it, where one request does."""

    def __init__(self, why: str, exchange: Exchange | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.exchange = exchange


class Undecided(Exception):
    """Nothing was shown, either way."""


class NeverUp(Exception):
    """There is no server to judge; the message says what it did instead."""


def expect(exchange: Exchange, *statuses: int) -> dict[str, object]:
    """The answer's JSON object, whose status is one of `statuses`. Raises `Failed`."""
    wanted = " or ".join(str(status) for status in statuses)
    if exchange.status is None:
        raise Failed(f"{wanted} was expected, and there was {exchange.trouble}", exchange)
    if exchange.status not in statuses:
        raise Failed(f"{wanted} was expected, not {exchange.status}", exchange)
    body = exchange.json
    if not isinstance(body, dict):
        raise Failed("the answer is no JSON object", exchange)
    return body


def fail(why: str, exchange: Exchange | None = None) -> NoReturn:
    """Raises `Failed`."""
    raise Failed(why, exchange)


def require(holds: bool, why: str, exchange: Exchange | None = None) -> None:
    """Raises `Failed` unless it holds."""
    if not holds:
        raise Failed(why, exchange)
