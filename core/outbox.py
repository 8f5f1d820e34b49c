"""The durable outbox: what was promised, so that a crash forgets nothing.

One intent a ticket. An intent is durable before the first byte of its registration is sent.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeVar, cast

from core.errors import OutboxFailed
from core.outcome import Outcome, Pending, Registered
from core.trade import Trade

IntentState = Literal["PENDING", "REGISTERED", "REJECTED", "CONFLICT", "CLOSED"]


@dataclass(frozen=True, slots=True)
class Intent:
    """A trade to be registered, or what became of it."""

    trade: Trade
    correlation_id: str
    state: IntentState = "PENDING"
    reason: str = ""

    @property
    def ticket(self) -> int:
        return self.trade.ticket


@dataclass(frozen=True, slots=True)
class Stored:
    """The intent is durable."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class Contradicted:
    """The ticket is there with other data; nothing was changed."""

    intent: Intent


class Outbox(Protocol):
    """Every future fails with `OutboxFailed` where the intent could not be made durable; one for
    which nothing had to be written does not."""

    def put(self, trade: Trade, correlation_id: str) -> Future[Stored | Contradicted]:
        """Makes the intent pending and durable.

        The same trade again is the same intent, opened anew unless the position is closed; a
        registered one that cannot be written stays as it is. Other data under the ticket are
        contradicted, unless what is there was rejected.
        """
        ...

    def conclude(self, outcome: Outcome) -> Future[None]:
        """Writes what became of an intent."""
        ...

    def fall_back(self, ticket: int) -> Future[Intent | None]:
        """Makes it durable that the trade goes to DTMS, whatever strategy it carried: whoever goes
        on with the intent after a crash must not offer it to another manager again. Answers the
        intent as it is then, None where there is none."""
        ...

    def pending(self) -> tuple[Intent, ...]:
        """Every intent whose end is not known, oldest first."""
        ...

    def due(self) -> tuple[Intent, ...]:
        """What of it this process may go on with now; where several share an outbox, what no other
        has in hand."""
        ...

    def outcomes(self) -> dict[int, IntentState]:
        """The state of every intent that is kept."""
        ...

    def close(self) -> None:
        """Writes all that waits, and lets the file go."""
        ...


A = TypeVar("A")
Change = tuple[Intent | None, A, A | None]
"""What has to be written for an operation, None for nothing; what it answers then; and what it may
answer where nothing can be written, None where it has failed then."""


class Answered(Protocol):
    """As much of a future as whoever answers needs."""

    def set_result(self, result: Any, /) -> None: ...

    def set_exception(self, exception: OutboxFailed, /) -> None: ...


def answer_unwritten(change: Change[Any], future: Answered, failure: OutboxFailed) -> None:
    """Answers where nothing can be written: what is true of the intents as they are needs that
    not, all else has failed. `change` is on the intent as it is."""
    intent, answer, unwritten = change
    if intent is None:
        future.set_result(answer)
    elif unwritten is not None:
        future.set_result(unwritten)
    else:
        future.set_exception(failure)


def put_into(
    known: Intent | None, trade: Trade, correlation_id: str
) -> Change[Stored | Contradicted]:
    """What `put` does where `known` is there.

    A registered trade is opened anew, so that it is made sure of again. Where that cannot be
    written it stays registered: to say that it was not accepted would be a lie.
    """
    if known is None or (known.state == "REJECTED" and known.trade != trade):
        intent = Intent(trade, correlation_id)
        return intent, Stored(intent), None
    if not known.trade.is_same_position(trade):
        return None, Contradicted(known), None
    if known.state in {"PENDING", "CLOSED"}:
        return None, Stored(known), None
    opened = Intent(known.trade, known.correlation_id)
    return opened, Stored(opened), Stored(known) if known.state == "REGISTERED" else None


def concluded(known: Intent | None, outcome: Outcome) -> Change[None]:
    """What `conclude` does where `known` is there."""
    if known is None or known.state == outcome.word:
        return None, None, None
    word = cast(IntentState, outcome.word)
    return Intent(known.trade, known.correlation_id, word, _reason(outcome)), None, None


def fallen_back(known: Intent | None) -> Change[Intent | None]:
    """What `fall_back` does where `known` is there."""
    if known is None or known.trade.strategy_type is None:
        return None, known, None
    intent = replace(known, trade=replace(known.trade, strategy_type=None))
    return intent, intent, None


def _reason(outcome: Outcome) -> str:
    match outcome:
        case Registered(managed_by=managed_by):
            return managed_by
        case Pending(reason=reason):
            return reason
        case _:
            return getattr(outcome, "reason", "")
