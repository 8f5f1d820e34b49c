"""What a test tells of its trades, and what the checkers say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

import pytest

from dtms_lab.lab_process import LabRefused
from dtms_lab.stand import Stand

__tracebackhide__ = True


@dataclass(frozen=True)
class CheckerVerdict:
    """What one checker says. `told` explains it, with the operations that show it."""

    verdict: Literal["valid", "invalid", "unknown"]
    why: str
    told: str

    @property
    def valid(self) -> bool:
        """It looked at something, and that held."""
        return self.verdict == "valid"


class Registration:
    """A call of the client under test: between `with` and its end the client has the trade."""

    def __init__(
        self, stand: Stand, ticket: int, trade: Mapping[str, object], service: str
    ) -> None:
        self._stand = stand
        self._service = service
        self._ticket = ticket
        self._trade = trade
        self._call: int | None = None
        self._said: bool | None = None
        self._words = ""
        self._has_said = False

    def reported(self, answer: bool | None, words: str = "") -> bool | None:
        """What the client answered: True (registered), False (not registered) or None (not known).
        Returns it. `words` that begin with "conflict" say that another payload is there."""
        if not any(answer is known for known in (True, False, None)):
            raise LabRefused(
                f"the client reported {answer!r} about {self._ticket}; say True (registered), "
                "False (not registered) or None (not known)"
            )
        self._said, self._words, self._has_said = answer, words, True
        return answer

    def __enter__(self) -> Registration:
        self._call = self._stand.ask(
            "begin", ticket=self._ticket, trade=dict(self._trade), service=self._service
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        said, words = self._said, self._words
        its_own = isinstance(error, Exception) and not isinstance(error, LabRefused)
        if its_own and not self._has_said:
            words = f"raised {type(error).__name__}: {error}"
        self._stand.ask("end", call=self._call, reported=said, words=words)
        if error is None and not self._has_said:
            raise LabRefused(
                f"what the client said about {self._ticket} was not told: call "
                ".reported(True, False or None) within `with dtms_history.register(...) as call`"
            )

    async def __aenter__(self) -> Registration:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)


class History:
    """Requests and answers are recorded by the fault proxy; the test tells the rest."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand

    def execute(self, ticket: int, trade: Mapping[str, object]) -> None:
        """The position was executed at the broker: from here on it is money at risk."""
        self._stand.ask("execute", ticket=_ticket(ticket), trade=_trade(trade))

    def register(
        self, ticket: int, trade: Mapping[str, object], service: str = "client"
    ) -> Registration:
        """The client gets the trade: `with dtms_history.register(1001, trade) as call:`, and in it
        `call.reported(answer)`. A trade that was not executed before is executed now.
        `service` is who has the client, where there are several: see `dtms_server.url_for`."""
        return Registration(self._stand, _ticket(ticket), _trade(trade), service)

    def close_position(self, ticket: int) -> None:
        """The position was closed: nobody owes it protection any more."""
        self._stand.ask("close_position", ticket=_ticket(ticket))

    def allow(self, **values: float) -> None:
        """Other bounds than the contract's, by name: `retries`, `base_s`, `unprotected_s`,
        `blocked_s` ...; `unknown=True` lets a test pass in which nothing was checked."""
        self._stand.ask("allow", values=values)

    def judge(self, *checkers: str, settle_s: float = 0.0) -> dict[str, CheckerVerdict]:
        """Heals every fault, brings the server back, waits up to `settle_s` until it has every
        executed trade, reads what it holds, and asks the checkers: those named, or all that a
        helper owes and that have something to check. The test is judged by nobody else then."""
        return _verdicts(self._stand.judge(checkers, settle_s).verdicts)

    def check(self, *checkers: str, settle_s: float = 0.0) -> dict[str, CheckerVerdict]:
        """As `judge`, and fails the test where a checker says invalid, or nothing was checked."""
        judgement = self._stand.judge(checkers, settle_s)
        if judgement.failure:
            pytest.fail(judgement.failure)
        return _verdicts(judgement.verdicts)


def _verdicts(told: Mapping[str, Mapping[str, Any]]) -> dict[str, CheckerVerdict]:
    return {name: CheckerVerdict(**verdict) for name, verdict in told.items()}


def _ticket(ticket: object) -> int:
    if not isinstance(ticket, int) or isinstance(ticket, bool) or not 0 < ticket < 2**63:
        raise LabRefused(f"a ticket is a whole number from 1 to 2**63 - 1, not {ticket!r}")
    return ticket


def _trade(trade: object) -> dict[str, object]:
    if not isinstance(trade, Mapping):
        raise LabRefused(
            'a trade is an object such as {"symbol": "EURUSD", "direction": "BUY", '
            f'"entry_price": 1.0856, "volume": 0.5, "stop_loss": null}}, not {trade!r}'
        )
    return dict(trade)
