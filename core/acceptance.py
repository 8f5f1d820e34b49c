"""Which answers count as what. Pure; nothing is taken for a success that is not one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.port import Answer
from core.trade import Trade

RETRYABLE_STATUSES = frozenset({408, 425, 429})
"""The only refusals that may be tried again; every 5xx may."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Registered, now or before."""

    already: bool
    state: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Definitely not registered; trying again would not help."""

    reason: str


@dataclass(frozen=True, slots=True)
class Conflicting:
    """Registered with other data."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retryable:
    """No success; may be tried again, `retry_after_s` from now at the earliest."""

    reason: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """Read back, and as it was sent."""

    state: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The API knows no such ticket."""


@dataclass(frozen=True, slots=True)
class Differs:
    """Read back, with other data."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """The read-back told nothing."""

    reason: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether registrations may be sent."""

    ready: bool
    reason: str = ""
    retry_after_s: float | None = None


READY = Readiness(True)


def judge_enable(trade: Trade, answer: Answer) -> Accepted | Refused | Conflicting | Retryable:
    """What the answer to a registration says."""
    status = answer.status
    if status == 409:
        return Conflicting(_message(answer) or "another payload is registered under this ticket")
    if status in RETRYABLE_STATUSES or status >= 500:
        return Retryable(f"status {status}", answer.retry_after_s)
    if status >= 400:
        message = _message(answer)
        return Refused(f"status {status}: {message}" if message else f"status {status}")
    if status != 200:
        # A redirect or another 2xx is nothing the API ever sends: it says neither yes nor no.
        return Retryable(f"status {status}", answer.retry_after_s)
    body = answer.body
    if not isinstance(body, dict | Mapping):
        return Retryable("the answer is not a JSON object")
    if body.get("success") is not True:
        return Retryable("success is not true")
    stored = body.get("trade_info")
    if not isinstance(stored, dict | Mapping):
        return Retryable("the answer does not say what was registered")
    if (wrong := differing_field(trade, stored)) is not None:
        return Retryable(f"the answer echoes another {wrong}")
    return Accepted(body.get("already_registered") is True, _state(body, stored))


def judge_lookup(trade: Trade, answer: Answer) -> Present | Absent | Differs | Unclear:
    """What a read-back says of the trade."""
    if answer.status == 404:
        return Absent()
    body = answer.body
    if answer.status != 200 or not isinstance(body, dict | Mapping):
        return Unclear(f"status {answer.status}", answer.retry_after_s)
    stored = body.get("trade_info")
    if not isinstance(stored, dict | Mapping):
        return Unclear("the answer holds no trade_info")
    wrong = differing_field(trade, stored)
    if wrong == "ticket":
        return Unclear("the answer is about another ticket")
    if wrong is not None:
        return Differs(f"{wrong} is {stored.get(_STORED_NAMES.get(wrong, wrong))!r} there")
    return Present(_state(body, stored))


def judge_state(ticket: int, answer: Answer) -> str | None:
    """The state that a read-back tells of a ticket, whatever its data; None where it tells none."""
    body = answer.body
    if answer.status != 200 or not isinstance(body, dict | Mapping):
        return None
    stored = body.get("trade_info")
    if not isinstance(stored, dict | Mapping) or not _is_ticket(ticket, stored.get("ticket")):
        return None
    return _state(body, stored) or None


def judge_health(answer: Answer) -> Readiness:
    """Ready only where the API says so in so many words."""
    body = answer.body
    if answer.status == 200 and isinstance(body, dict | Mapping) and body.get("ready") is True:
        return READY
    return Readiness(False, f"status {answer.status}, not ready", answer.retry_after_s)


def differing_field(trade: Trade, stored: Mapping[object, object]) -> str | None:
    """The first field, in the trade's names, whose stored value is not the trade's."""
    get = stored.get
    if not _is_ticket(trade.ticket, get("ticket")):
        return "ticket"
    if get("symbol") != trade.symbol:
        return "symbol"
    if get("direction") != trade.direction:
        return "direction"
    # One by one, for this is asked of every answer.
    if not _same_number(trade.entry, get("entry_price")):
        return "entry"
    if not _same_number(trade.volume, get("volume")):
        return "volume"
    if not _same_number(trade.stop_loss, get("stop_loss")):
        return "stop_loss"
    if not _same_number(trade.take_profit, get("take_profit")):
        return "take_profit"
    return None


_STORED_NAMES = {"entry": "entry_price"}


def _is_ticket(ticket: int, stored: object) -> bool:
    return type(stored) is int and stored == ticket


def _same_number(sent: float | None, stored: object) -> bool:
    """A whole number may be written as one; true and false are not 1 and 0."""
    if type(stored) is float or type(stored) is int:
        return stored == sent
    return sent is None and stored is None


def _state(body: Mapping[object, object], stored: Mapping[object, object]) -> str:
    state = body.get("state", stored.get("state"))
    return state if isinstance(state, str) else ""


def _message(answer: Answer) -> str:
    body = answer.body
    message = body.get("message") if isinstance(body, dict | Mapping) else None
    return message if isinstance(message, str) else ""
