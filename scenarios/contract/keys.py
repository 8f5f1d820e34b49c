"""The key that changes must carry, by one server that is started with one.

What nobody sees from outside: whether keys are compared in constant time.
"""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.contract.bench import UNLIMITED, Bench
from scenarios.contract.check import Check, Need, Undecided, expect, require
from scenarios.contract.exchange import Exchange
from scenarios.contract.registrations import Payload, good, has_error_body
from scenarios.contract.server import ENABLE, JSON, encoded
from scenarios.scenario import ServerOptions

KEY = "contract-key"
KEYED = ServerOptions(
    monitoring_interval_s=30.0, environ={**UNLIMITED.environ, "DTMS_API_KEY": KEY}
)
ODD: dict[str, bytes] = {
    "empty": b"",
    "its beginning": KEY[:-1].encode(),
    "the right one, and more": KEY.encode() + b"x",
    "a letter": b"c",
    "in capitals": KEY.upper().encode(),
    "in UTF-8": "ключ-contract".encode(),
    "no UTF-8": b"\xff\xfe\x80" + KEY.encode(),
    "of its length, no ASCII": b"\xe9" * len(KEY),
    "4,000 bytes long": b"k" * 4_000,
}
"""Keys that are wrong, each in its own way."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """What a server answered that has a key, by the key that a request carried."""

    payload: Payload
    without: Exchange
    another: Exchange
    lookup: Exchange
    odd: dict[str, Exchange]
    right: Exchange
    initialize: Exchange
    initialize_right: Exchange
    delete: Exchange
    delete_right: Exchange


def keyed(bench: Bench) -> Keyed:
    payload = good(bench.ticket())
    body, path = encoded(payload), f"/dtms/trade/{payload['ticket']}"
    with bench.own(options=KEYED) as server:

        def ask(method: str, path: str, key: bytes | None = None) -> Exchange:
            headers: dict[str, str | bytes] = {**JSON}
            if key is not None:
                headers["X-API-Key"] = key
            sent = body if path == ENABLE else None
            return server.ask_apart(method, path, sent, headers)

        key = KEY.encode()
        return Keyed(
            payload,
            ask("POST", ENABLE),
            ask("POST", ENABLE, key + b"x"),
            server.lookup(payload["ticket"]),
            {name: ask("POST", ENABLE, odd) for name, odd in ODD.items()},
            ask("POST", ENABLE, key),
            ask("POST", "/dtms/initialize"),
            ask("POST", "/dtms/initialize", key),
            ask("DELETE", path),
            ask("DELETE", path, key),
        )


def _keyed(bench: Bench) -> Keyed:
    return bench.seen("keyed", keyed)


def for_registrations(bench: Bench) -> None:
    seen = _keyed(bench)
    expect(seen.without, 401)
    expect(seen.another, 401)
    expect(seen.lookup, 401, 404)
    expect(seen.right, 200)


def odd_keys(bench: Bench) -> None:
    seen = _keyed(bench)
    for name, told in seen.odd.items():
        require(told.status == 401, f"401 is the status, not {told.status}: the key {name}", told)
    expect(seen.right, 200)


def for_initialize(bench: Bench) -> None:
    seen = _keyed(bench)
    expect(seen.initialize, 401)
    expect(seen.initialize_right, 200)


def for_delete(bench: Bench) -> None:
    seen = _keyed(bench)
    expect(seen.delete, 401)
    expect(seen.delete_right, 200)


def error_body(bench: Bench) -> None:
    seen = _keyed(bench)
    refused = [
        told for told in (seen.without, seen.another, *seen.odd.values()) if told.status == 401
    ]
    if not refused:
        raise Undecided("no registration was answered with 401")
    for told in refused:
        has_error_body(told)


_TOPIC = "keys"
_OWN: frozenset[Need] = frozenset({"own"})
_OPTIONAL: frozenset[Need] = frozenset({"own", "optional"})
CHECKS = (
    Check(
        "key-for-registrations",
        "SHOULD",
        _TOPIC,
        "With a key set, a registration without it or with another: 401.",
        for_registrations,
        _OWN,
    ),
    Check(
        "key-odd",
        "SHOULD",
        _TOPIC,
        "Any other key is a 401: empty, a part of the right one, more than it, long, no ASCII.",
        odd_keys,
        _OWN,
    ),
    Check(
        "key-for-initialize",
        "SHOULD",
        _TOPIC,
        "With a key set, POST /dtms/initialize without it: 401.",
        for_initialize,
        _OPTIONAL,
    ),
    Check(
        "key-for-delete",
        "SHOULD",
        _TOPIC,
        "With a key set, DELETE without it: 401.",
        for_delete,
        _OPTIONAL,
    ),
    Check(
        "key-error-body",
        "SHOULD",
        _TOPIC,
        "A 401 has error, message, details, correlation_id.",
        error_body,
        _OWN,
    ),
)
