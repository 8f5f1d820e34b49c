"""What a history of the lab says to the model `registration`, by ticket.

Read are the exchanges with the DTMS API, heard or not, what was asked to be closed, and how the
auditor found everything at the end; where nobody watched the exchanges, what services say of their
registrations without a strategy. What the server may do by itself is of unknown outcome: adopt a
position that is open at the broker, give one up, forget a closed one, or all where the store is
corrupt.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

import msgspec

from scenarios.evidence.actors import told
from scenarios.evidence.exchange import Exchange, deliveries
from scenarios.evidence.positions import executed, maybe_closed
from scenarios.evidence.reading import by_ticket, mapping
from scenarios.evidence.terms import Terms
from scenarios.history import Call, History
from scenarios.linearizability.model import UNKNOWN, Operation
from scenarios.linearizability.models.registration import ABSENT, CLOSED, OPEN

KINDS = ("enable", "lookup", "close")
BEFORE_ALL = -1
"""When something began of which only the end is known."""
Told = tuple[Hashable, Operation]


def registrations(history: History) -> Iterator[Told]:
    """Each operation with its ticket."""
    exchanged = deliveries(history, *KINDS)
    sent: dict[int, dict[Hashable, None]] = {}
    for exchange in exchanged:
        if exchange.ticket is None or not exchange.reached:
            continue
        if exchange.copy:
            for operation in _of_copy(exchange, tuple(sent.get(exchange.ticket, ()))):
                yield exchange.ticket, operation
            continue
        asked = _asked(exchange)
        if exchange.f == "enable":
            sent.setdefault(exchange.ticket, {})[asked] = None
        if (read := _of_exchange(exchange, asked)) is not None:
            yield exchange.ticket, read
    if not history.calls(service="wire"):
        yield from _of_calls(history)
    yield from _closed(history)
    yield from _read_at_the_end(history)
    yield from _of_the_server(history)


def _of_exchange(exchange: Exchange, asked: Hashable) -> Operation | None:
    outcome = _outcome(exchange)
    if outcome is None or (outcome is UNKNOWN and exchange.f == "lookup"):
        return None
    ended = None if outcome is UNKNOWN else exchange.ended
    known = UNKNOWN if ended is None else outcome
    return Operation(exchange.f, asked, known, exchange.begun, ended)


def _asked(exchange: Exchange) -> Hashable:
    return Terms.of(exchange.call.invoke.get("payload")) if exchange.f == "enable" else None


def _of_copy(exchange: Exchange, sent: tuple[Hashable, ...]) -> Iterator[Operation]:
    """When a copy was made is not told: at any time before its answer. Nor is which of several
    payloads it had: then it may have been each of them."""
    read = _of_exchange(exchange, _asked(exchange))
    if read is None:
        return
    if exchange.f == "enable" and len(sent) == 1:
        yield msgspec.structs.replace(read, asked=sent[0], began=BEFORE_ALL)
    elif exchange.f == "enable":
        for asked in sent:
            yield Operation("enable", asked, UNKNOWN, BEFORE_ALL, None)
    else:
        yield msgspec.structs.replace(read, began=BEFORE_ALL)


def _outcome(exchange: Exchange) -> Hashable:
    """What came of it in the model's words; None for what had no effect and tells nothing."""
    server = exchange.server
    if server is None or server.status >= 500 or server.status == 408:
        return UNKNOWN
    match exchange.f, server.status:
        case "enable", 200:
            if not server.registered:
                return UNKNOWN
            new = server.is_new
            return "accepted" if new is None else "new" if new else "already"
        case "enable", 409:
            return "conflict"
        case "lookup", 200:
            return _held(mapping(server.body))
        case "close", 200:
            return CLOSED
        case (("lookup" | "close"), 404):
            return ABSENT
        case _:
            return None


def _held(body: Mapping[str, object]) -> Hashable:
    """What the answer to a look-up shows: the data, and OPEN or CLOSED."""
    info = mapping(body.get("trade_info"))
    state = body.get("state") or info.get("state")
    return (Terms.of(info), CLOSED if state == "CLOSED" else OPEN)


def _of_calls(history: History) -> Iterator[Told]:
    for call in history.calls("register"):
        given = mapping(call.invoke.get("trade") or call.invoke.value)
        if call.ticket is not None and call.ended != "fail" and not given.get("strategy_type"):
            yield call.ticket, _known(call, "enable", Terms.of(given), "accepted")


def _closed(history: History) -> Iterator[Told]:
    """What the driver closed, past the links."""
    for call in history.calls("close"):
        if call.service not in ("wire", "network") and call.ticket is not None:
            if call.ended != "fail":
                yield call.ticket, _known(call, "close", None, CLOSED)
            elif call.get("status") == 404:
                assert call.completion is not None
                yield (
                    call.ticket,
                    Operation("close", None, ABSENT, call.invoke.index, call.completion.index),
                )


def _known(call: Call, f: str, asked: Hashable, outcome: Hashable) -> Operation:
    completion = call.completion
    if completion is None or completion.type == "info":
        return Operation(f, asked, UNKNOWN, call.invoke.index, None)
    return Operation(f, asked, outcome, call.invoke.index, completion.index)


def _read_at_the_end(history: History) -> Iterator[Told]:
    readings = [
        (call.invoke.index, call.completion)
        for call in history.calls("read-all", service="auditor")
        if call.completion is not None and call.ended == "ok"
    ]
    readings += [(op.index, op) for op in history.notes("read-all", "auditor")]
    for began, read in readings:
        for ticket, held in by_ticket(read.value).items():
            if held is None:
                yield ticket, Operation("lookup", None, ABSENT, began, read.index)
            elif isinstance(held, dict):
                yield ticket, Operation("lookup", None, _held(held), began, read.index)


def _of_the_server(history: History) -> Iterator[Told]:
    positions = executed(history)
    inflicted = [(op.get("fault"), op.index) for op in history.notes("inflict", "nemesis")]
    if told(history, "start", "broker"):
        for ticket, position in positions.items():
            for terms in (*position.former, position.terms):
                yield ticket, _by_itself("restore", position.op.index, terms)
        for op in history.notes("position-closed", "broker"):
            if op.ticket is not None:
                yield op.ticket, _by_itself("close", op.index)
        for fault, index in inflicted:
            if fault == "broker-fault":  # it may tell of other data, or of no position at all
                for ticket in positions:
                    yield ticket, _by_itself("restore", index)
                    yield ticket, _by_itself("close", index)
    if told(history, "start", "main-api"):
        for ticket in positions:
            yield ticket, _by_itself("close", BEFORE_ALL)
    for fault, index in inflicted:
        if fault == "corrupt-store":
            for ticket in positions:
                yield ticket, _by_itself("forget", index)
    for ticket in maybe_closed(history):
        yield ticket, _by_itself("clean-up", BEFORE_ALL)


def _by_itself(f: str, began: int, asked: Hashable = None) -> Operation:
    return Operation(f, asked, UNKNOWN, began, None)
