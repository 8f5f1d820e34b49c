"""HTTP exchanges between service and server, as the fault proxy saw them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec

from scenarios.evidence.reading import integer, mapping, number, text
from scenarios.evidence.shared import once_per_history
from scenarios.history import Call, History

ANSWERED_FOR = frozenset({"answerfor", "failfirst", "garbage", "wrongecho", "truncate"})
"""Faults whose answer is not the server's."""
KEPT_FROM_SERVER = frozenset({"answerfor", "failfirst", "droprequest"})
"""Faults that leave the server out of it."""
SEEN_AT_ONCE = frozenset({"refuse", "reset"})
"""Faults that a client notices when they happen; others it may have to wait out."""
FAULTS_MAX = 1_000
"""How many wordings of faults are remembered."""
RETRYABLE = frozenset({408, 425, 429})
"""The 4xx that ask for another try."""


class ServerAnswer(msgspec.Struct, frozen=True, gc=False):
    """What the server said, whether or not anybody got to hear it."""

    status: int
    body: object

    @property
    def registered(self) -> bool:
        """An enable that was carried out: now, or earlier."""
        return self.status == 200 and mapping(self.body).get("success") is True

    @property
    def is_new(self) -> bool | None:
        """Whether an enable called the ticket new; None where it does not say."""
        already = mapping(self.body).get("already_registered")
        return not already if isinstance(already, bool) else None

    @property
    def holds(self) -> bool:
        """A lookup that shows the ticket registered and not closed."""
        body = mapping(self.body)
        state = body.get("state") or mapping(body.get("trade_info")).get("state")
        return self.registered and state != "CLOSED"


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """One request of `service`. `status` is what was delivered to it, None where nothing was.

    A `copy` is an extra delivery that a fault made of a request: the service neither sent it nor
    heard of it, the server saw it all the same.
    """

    call: Call
    f: str
    service: str
    ticket: int | None
    status: int | None
    server: ServerAnswer | None
    retry_after_s: float | None
    faults: frozenset[str]
    copy: bool = False

    @property
    def reached(self) -> bool:
        """Whether the request may have come to the server."""
        return self.server is not None or not (
            self.call.ended == "fail" or self.faults & KEPT_FROM_SERVER
        )

    @property
    def maybe_carried_out(self) -> bool:
        """Whether the server did it, or may have: it said so, said nothing, or broke."""
        if self.server is not None:
            return self.server.registered or self.server.status >= 500
        return self.reached

    @property
    def failed(self) -> bool:
        """No whole answer, or one that shows the server in trouble."""
        return self.status is None or self.status >= 500

    def noticed_us(self, timeout_us: int) -> int:
        """When (us) the client had noticed the end at the latest, given its own timeout."""
        ended_us = self.ended_us or 0
        if self.status is not None or self.faults & SEEN_AT_ONCE:
            return ended_us
        return max(ended_us, self.call.invoke.time_us + timeout_us)

    @property
    def refused(self) -> bool:
        """A definite no was delivered."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in RETRYABLE

    @property
    def begun(self) -> int:
        return self.call.invoke.index

    @property
    def ended(self) -> int | None:
        """The index of the completion, None for what was open at the end."""
        return self.call.completion.index if self.call.completion is not None else None

    @property
    def ended_us(self) -> int | None:
        return self.call.completion.time_us if self.call.completion is not None else None


def exchanges(history: History, *fs: str) -> tuple[Exchange, ...]:
    """Exchanges with the DTMS API in the order they began; all, or those of the named kinds.

    What services sent, and what was delivered to them: the operations of `wire`."""
    return _of_kinds(_sent(history), fs)


def deliveries(history: History, *fs: str) -> tuple[Exchange, ...]:
    """What reached the server: the exchanges, and the copies that the network made of them."""
    copies = _of_kinds(_copied(history), fs)
    if not copies:
        return exchanges(history, *fs)
    return tuple(sorted((*exchanges(history, *fs), *copies), key=lambda e: e.begun))


@once_per_history
def registering(history: History) -> Mapping[int, list[Exchange]]:
    """What reached the server in order to register, by ticket."""
    tries: dict[int, list[Exchange]] = {}
    for exchange in deliveries(history, "enable"):
        if exchange.ticket is not None:
            tries.setdefault(exchange.ticket, []).append(exchange)
    return tries


def _of_kinds(carried: tuple[Exchange, ...], fs: tuple[str, ...]) -> tuple[Exchange, ...]:
    return tuple(exchange for exchange in carried if exchange.f in fs) if fs else carried


@once_per_history
def _sent(history: History) -> tuple[Exchange, ...]:
    return tuple(_carried(history, "wire"))


@once_per_history
def _copied(history: History) -> tuple[Exchange, ...]:
    return tuple(_carried(history, "network"))


def _carried(history: History, carrier: str) -> Iterator[Exchange]:
    for call in history.calls(service=carrier):
        link = text(call.invoke.get("link")) or ""
        if not link or link.endswith("->dtms"):
            yield _exchange(call, link, is_copy=carrier == "network")


def _exchange(call: Call, link: str, is_copy: bool) -> Exchange:
    faults = _faults(text(call.get("fault")) or "")
    status = integer(call.get("status")) if call.ended == "ok" else None
    return Exchange(
        call=call,
        f=call.invoke.f,
        service=text(call.invoke.get("service")) or link.partition("->")[0],
        ticket=call.ticket,
        status=None if is_copy else status,
        server=_server_answer(call, status, faults),
        retry_after_s=_seconds(call.get("retry_after")) if call.ended == "ok" else None,
        faults=faults,
        copy=is_copy,
    )


def _server_answer(call: Call, status: int | None, faults: frozenset[str]) -> ServerAnswer | None:
    said = integer(call.get("server_status"))
    if said is not None:
        body = call.get("server_body")
        if body is None and said == status:
            body = call.get("body")
        return ServerAnswer(said, body)
    if status is None or faults & ANSWERED_FOR:
        return None
    return ServerAnswer(status, call.get("body"))


@lru_cache(FAULTS_MAX)
def _faults(told: str) -> frozenset[str]:
    return frozenset(map(_plain, told.split("+"))) - {""}


def _plain(name: str) -> str:
    """`AnswerFor`, `answer-for` and `answer_for` are the same fault."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _seconds(told: object) -> float | None:
    """Retry-After in seconds; None for a date, which a history cannot place."""
    if isinstance(told, str):
        return float(told) if told.isascii() and told.isdigit() and len(told) < 10 else None
    return number(told)
