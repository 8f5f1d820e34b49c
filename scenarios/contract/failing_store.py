"""A store that cannot persist, and one that is corrupt: what is told, kept and rebuilt."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Failed, Need, Undecided, expect, require
from scenarios.contract.exchange import Exchange
from scenarios.contract.health import has_health_fields
from scenarios.contract.registrations import Payload, good, has_error_body, is_told, registered

DEGRADED_S_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Unstored:
    """What a server told while nothing could be stored, and after."""

    payload: Payload
    refused: Exchange
    lookup: Exchange
    health: Exchange
    dtms_health: Exchange
    after: Exchange


def unstored(bench: Bench) -> Unstored:
    payload = good(bench.ticket())
    with bench.own() as server:
        registered(server, good(bench.ticket()))
        with server.failing_store():
            refused = server.enable(payload)
            lookup = server.lookup(payload["ticket"])
            health = server.get("/health")
            dtms_health = server.get("/dtms/health")
        after = server.enable(payload)
        for _try in range(20):
            if after.status == 200:
                break
            server.until(lambda told: told.status == 200, "/dtms/health", 0.2)
            after = server.enable(payload)
        return Unstored(payload, refused, lookup, health, dtms_health, after)


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


def store_dtms_health(bench: Bench) -> None:
    told = _unstored(bench).dtms_health
    body = expect(told, 200, 503, 500)
    has_health_fields(told)
    require(told.status == 200 or "error" in body, "there is no error", told)


def not_persisted_body(bench: Bench) -> None:
    told = _unstored(bench).refused
    if told.status == 503:
        has_error_body(told)


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
        server.broker.opens(payload)
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


_TOPIC = "durability"
_OWN: frozenset[Need] = frozenset({"own"})
_BROKER: frozenset[Need] = frozenset({"own", "broker"})
CHECKS = (
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
        "store-dtms-health",
        "MUST",
        "health",
        "While the store is not writable, /dtms/health is 200, or has its fields and error.",
        store_dtms_health,
        _OWN,
    ),
    Check(
        "not-persisted-error-body",
        "SHOULD",
        _TOPIC,
        "The 503 not_persisted has error, message, details, correlation_id.",
        not_persisted_body,
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
)
