"""What was acknowledged is there after kill -9, after a stop, and after a store that failed."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Failed, Need, Undecided, expect, require
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
DEGRADED_S_MAX = 5.0


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


def survives_stop(bench: Bench) -> None:
    payload = good(bench.ticket())
    with bench.own() as server:
        registered(server, payload)
        server.stop()
        server.restart()
        is_kept(server, payload)


@dataclass(frozen=True, slots=True)
class Unstored:
    """What a server told while nothing could be stored, and after."""

    payload: Payload
    refused: Exchange
    lookup: Exchange
    health: Exchange
    after: Exchange


def unstored(bench: Bench) -> Unstored:
    payload = good(bench.ticket())
    with bench.own() as server:
        registered(server, good(bench.ticket()))
        with server.failing_store():
            refused = server.enable(payload)
            lookup = server.lookup(payload["ticket"])
            health = server.get("/health")
        after = server.enable(payload)
        for _try in range(20):
            if after.status == 200:
                break
            server.until(lambda told: told.status == 200, "/dtms/health", 0.2)
            after = server.enable(payload)
        return Unstored(payload, refused, lookup, health, after)


def _unstored(bench: Bench) -> Unstored:
    return bench.seen("unstored", unstored)


def not_persisted(bench: Bench) -> None:
    told = _unstored(bench).refused
    body = expect(told, 503)
    require(body.get("error") == "not_persisted", "error is not not_persisted", told)


def not_persisted_not_active(bench: Bench) -> None:
    seen = _unstored(bench)
    require(seen.lookup.status != 200, "it is active, and is not stored", seen.lookup)
    if seen.refused.status == 503 and seen.after.status == 200:
        body = expect(seen.after, 200)
        new = body.get("already_registered") is False
        require(new, "it was refused, and is registered all the same", seen.after)


def store_heals(bench: Bench) -> None:
    seen = _unstored(bench)
    expect(seen.after, 200)


def store_health(bench: Bench) -> None:
    told = _unstored(bench).health
    body = expect(told, 503)
    status = body.get("status")
    require(status in ("unhealthy", "degraded"), f"status is {status!r}", told)


@dataclass(frozen=True, slots=True)
class Spoilt:
    """What a server told that was started on a store full of rubbish, with the broker's help."""

    payload: Payload
    health: Exchange
    lookup: Exchange
    names: tuple[str, ...]


def spoilt(bench: Bench) -> Spoilt:
    payload = good(bench.ticket())
    with bench.own(broker=True) as server:
        server.broker_opens(payload)
        registered(server, payload)
        server.kill()
        if not server.corrupt_store():
            raise Undecided("its store is in no .db, .sqlite or .sqlite3 file, and was not spoilt")
        server.restart()
        lookup = server.until(
            lambda told: told.status == 200, f"/dtms/trade/{payload['ticket']}", DEGRADED_S_MAX
        )
        folder = server.world.data_folder("dtms")
        names = tuple(path.name for path in folder.glob("**/*"))
        return Spoilt(payload, server.get("/health"), lookup, names)


def _spoilt(bench: Bench) -> Spoilt:
    return bench.seen("spoilt", spoilt)


def corrupt_is_rebuilt(bench: Bench) -> None:
    seen = _spoilt(bench)
    expect(seen.lookup, 200)
    is_told(seen.lookup, seen.payload)


def corrupt_is_degraded(bench: Bench) -> None:
    told = _spoilt(bench).health
    body = expect(told, 503)
    require(body.get("status") == "degraded", "status is not degraded", told)


def corrupt_is_set_aside(bench: Bench) -> None:
    names = _spoilt(bench).names
    stamped = [name for name in names if sum(c.isdigit() for c in name) >= 8]
    if not stamped:
        raise Failed(f"no file with a time stamp is there, only {', '.join(sorted(names))}")


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
_BROKER: frozenset[Need] = frozenset({"own", "broker"})
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
        "not-persisted",
        "MUST",
        _TOPIC,
        "When the store cannot persist, a registration is 503 not_persisted.",
        not_persisted,
        _OWN,
    ),
    Check(
        "not-persisted-not-active",
        "MUST",
        _TOPIC,
        "What could not be persisted is neither active nor stored.",
        not_persisted_not_active,
        _OWN,
    ),
    Check(
        "store-heals",
        "MUST",
        _TOPIC,
        "When the store can persist again, so does the server, without a restart.",
        store_heals,
        _OWN,
    ),
    Check(
        "store-health",
        "MUST",
        "health",
        "/health is 503, unhealthy or degraded, while the store is not writable.",
        store_health,
        _OWN,
    ),
    Check(
        "corrupt-store-rebuilt",
        "MUST",
        "recovery",
        "A corrupt store is never silently emptied: its trades come back from the broker.",
        corrupt_is_rebuilt,
        _BROKER,
    ),
    Check(
        "corrupt-store-degraded",
        "SHOULD",
        "recovery",
        "After a corrupt store /health is 503 degraded.",
        corrupt_is_degraded,
        _BROKER,
    ),
    Check(
        "corrupt-store-aside",
        "SHOULD",
        "recovery",
        "A corrupt store is set aside, with a time stamp in its name.",
        corrupt_is_set_aside,
        _BROKER,
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
        "delete-survives-kill",
        "SHOULD",
        _TOPIC,
        "What was closed by DELETE is not open again after kill -9.",
        deleted_stays_closed,
        _OWN | {"optional"},
    ),
)
