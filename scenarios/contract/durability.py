"""What was acknowledged is there after kill -9 and after a stop, even amid one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Need, Undecided, expect, require
from scenarios.contract.exchange import Exchange
from scenarios.contract.registrations import (
    Payload,
    good,
    is_kept,
    is_told,
    is_unknown,
    registered,
)

TOGETHER = 40
STREAM = 2_000
"""More than are sent before SIGTERM has ended any server."""


@dataclass(frozen=True, slots=True)
class Killed:
    """What a server told after kill -9 and a start, of what it had acknowledged before."""

    payloads: tuple[Payload, ...]
    before: tuple[Exchange, ...]
    at_once: tuple[Exchange, ...]
    """The look-ups at the first 200 of /dtms/health."""
    later: tuple[Exchange, ...]
    again: Exchange
    other: Exchange


def killed(bench: Bench) -> Killed:
    payloads = tuple(good(bench.ticket(), volume=n / 10) for n in range(1, 7))
    with bench.own() as server:
        before = tuple(registered(server, payload) for payload in payloads)
        server.kill()
        server.restart()
        paths = [f"/dtms/trade/{payload['ticket']}" for payload in payloads]
        at_once = tuple(server.get(path) for path in paths)
        later = tuple(
            server.until(lambda told: told.status == 200, path, 1.0) for path in reversed(paths)
        )
        again = server.enable(payloads[0])
        other = server.enable({**payloads[1], "entry": 2351.0})
        return Killed(payloads, before, at_once, tuple(reversed(later)), again, other)


def _killed(bench: Bench) -> Killed:
    return bench.seen("killed", killed)


def survives_kill(bench: Bench) -> None:
    seen = _killed(bench)
    for payload, told in zip(seen.payloads, seen.later, strict=True):
        expect(told, 200)
        is_told(told, payload)


def recovered_when_ready(bench: Bench) -> None:
    """What was lost for good is for `survives-kill` to say."""
    seen = _killed(bench)
    for first, later in zip(seen.at_once, seen.later, strict=True):
        if later.status == 200:
            expect(first, 200)


def known_after_restart(bench: Bench) -> None:
    seen = _killed(bench)
    if seen.later[0].status == 200:
        body = expect(seen.again, 200)
        require(body.get("already_registered") is True, "it counts as new", seen.again)
    if seen.later[1].status == 200:
        expect(seen.other, 409)


def registered_at_is_kept(bench: Bench) -> None:
    seen = _killed(bench)
    for before, after in zip(seen.before, seen.later, strict=True):
        if after.status == 200:
            first, second = (_info(told).get("registered_at") for told in (before, after))
            require(first is not None, "there is no registered_at", before)
            require(first == second, f"registered_at was {first!r} before the kill", after)


def last_updated_is_kept(bench: Bench) -> None:
    seen = _killed(bench)
    for before, after in zip(seen.before, seen.later, strict=True):
        if after.status == 200:
            first, second = (_info(told).get("last_updated") for told in (before, after))
            require(first is not None, "there is no last_updated", before)
            require(first == second, f"last_updated was {first!r} before the kill", after)


def times_are_utc(bench: Bench) -> None:
    for told in _killed(bench).before:
        for name in ("registered_at", "last_updated"):
            text = _info(told).get(name)
            require(_is_utc(text), f"{name} is {text!r}, no time of ISO 8601 in UTC", told)


def _is_utc(text: object) -> bool:
    try:
        told = datetime.fromisoformat(str(text))
    except ValueError:
        return False
    return told.utcoffset() == timedelta(0)


def _info(told: Exchange) -> Payload:
    info = told.json.get("trade_info") if isinstance(told.json, dict) else None
    return info if isinstance(info, dict) else {}


def survives_kill_amid(bench: Bench) -> None:
    payloads = {ticket: good(ticket) for ticket in (bench.ticket() for _ in range(TOGETHER))}
    with bench.own() as server:
        acknowledged = server.kill_amid(list(payloads.values()), TOGETHER // 4)
        if not acknowledged:
            raise Undecided("no registration was acknowledged before the kill")
        server.restart()
        for ticket in acknowledged:
            is_kept(server, payloads[ticket])


@dataclass(frozen=True, slots=True)
class Stopped:
    """What was answered before SIGTERM and around it, and what is told after a start."""

    before: Payload
    before_kept: Exchange
    around: tuple[tuple[Payload, Exchange], ...]
    kept: dict[object, Exchange]
    """By ticket, the look-ups of what was acknowledged."""


def stopped(bench: Bench) -> Stopped:
    before = good(bench.ticket())
    payloads = [good(bench.ticket()) for _ in range(STREAM)]
    with bench.own() as server:
        registered(server, before)
        around = tuple((dict(sent), told) for sent, told in server.stop_amid(payloads, TOGETHER))
        server.restart()
        acknowledged = [sent["ticket"] for sent, told in around if told.status == 200]
        kept = {ticket: server.lookup(ticket) for ticket in acknowledged}
        return Stopped(before, server.lookup(before["ticket"]), around, kept)


def _stopped(bench: Bench) -> Stopped:
    return bench.seen("stopped", stopped)


def survives_stop(bench: Bench) -> None:
    seen = _stopped(bench)
    expect(seen.before_kept, 200)
    is_told(seen.before_kept, seen.before)


def survives_stop_amid(bench: Bench) -> None:
    seen = _stopped(bench)
    for payload, told in seen.around:
        if told.status == 200:
            kept = seen.kept[payload["ticket"]]
            expect(kept, 200)
            is_told(kept, payload)


def stopping_refuses(bench: Bench) -> None:
    """A connection that is refused or cut off is no answer, and says nothing that is not true."""
    for _payload, told in _stopped(bench).around:
        if told.status not in (None, 200):
            expect(told, 503)
            text = told.headers.get("retry-after", "")
            require(text.isdigit(), f"Retry-After is {text!r}, and must be seconds", told)


def deleted_stays_closed(bench: Bench) -> None:
    payload = good(bench.ticket())
    with bench.own() as server:
        registered(server, payload)
        expect(server.ask("DELETE", f"/dtms/trade/{payload['ticket']}"), 200)
        server.kill()
        server.restart()
        told = server.lookup(payload["ticket"])
        if told.status != 404:
            body = expect(told, 200)
            require(body.get("state") == "CLOSED", "it is open again", told)


def never_stored(bench: Bench) -> None:
    ticket = bench.ticket()
    with bench.own() as server:
        server.enable(good(ticket, volume=-1.0))
        server.kill()
        server.restart()
        is_unknown(server, ticket)


_TOPIC = "durability"
_OWN: frozenset[Need] = frozenset({"own"})
CHECKS = (
    Check(
        "survives-kill",
        "MUST",
        _TOPIC,
        "The answer is sent only after the row is durable: kill -9 right after it loses nothing.",
        survives_kill,
        _OWN,
    ),
    Check(
        "survives-kill-amid",
        "MUST",
        _TOPIC,
        "What was acknowledged amid many others before kill -9 is there after it.",
        survives_kill_amid,
        _OWN,
    ),
    Check(
        "survives-stop",
        "MUST",
        _TOPIC,
        "What was acknowledged is there after SIGTERM and a start.",
        survives_stop,
        _OWN,
    ),
    Check(
        "survives-stop-amid",
        "MUST",
        _TOPIC,
        "What was acknowledged amid many others around SIGTERM is there after a start.",
        survives_stop_amid,
        _OWN,
    ),
    Check(
        "shutting-down",
        "SHOULD",
        _TOPIC,
        "While shutting down, a registration is taken, or 503 with Retry-After, or not answered.",
        stopping_refuses,
        _OWN,
    ),
    Check(
        "recovered-when-ready",
        "MUST",
        _TOPIC,
        "Ready means recovered: at the first 200 of /dtms/health the store's trades are there.",
        recovered_when_ready,
        _OWN,
    ),
    Check(
        "known-after-restart",
        "MUST",
        _TOPIC,
        "After a restart the same data are already_registered, and others a conflict.",
        known_after_restart,
        _OWN,
    ),
    Check(
        "refused-is-not-stored",
        "MUST",
        _TOPIC,
        "What was refused is not in the store, either: it is unknown after a restart.",
        never_stored,
        _OWN,
    ),
    Check(
        "registered-at-kept",
        "SHOULD",
        _TOPIC,
        "registered_at is persisted: it is the same after a restart.",
        registered_at_is_kept,
        _OWN,
    ),
    Check(
        "last-updated-kept",
        "SHOULD",
        _TOPIC,
        "last_updated is persisted: where nothing changed it is the same after a restart.",
        last_updated_is_kept,
        _OWN,
    ),
    Check(
        "times-are-utc",
        "SHOULD",
        _TOPIC,
        "registered_at and last_updated are ISO 8601, in UTC.",
        times_are_utc,
        _OWN,
    ),
    Check(
        "delete-survives-kill",
        "SHOULD",
        _TOPIC,
        "What was closed by DELETE is not open again after kill -9.",
        deleted_stays_closed,
        _OWN | {"optional"},
    ),
)
