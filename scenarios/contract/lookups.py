"""GET /dtms/trade/{ticket}."""

from __future__ import annotations

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, expect, require
from scenarios.contract.registrations import STATES, good, is_told, registered


def known(bench: Bench) -> None:
    server, payload = bench.shared(), good(bench.ticket())
    registered(server, payload)
    told = server.lookup(payload["ticket"])
    body = expect(told, 200)
    require(body.get("success") is True, "success is not true", told)
    info = is_told(told, payload)
    require(body.get("state") in STATES, f"state {body.get('state')!r} is none", told)
    require(info.get("state") == body["state"], "trade_info has another state", told)


def unknown(bench: Bench) -> None:
    expect(bench.shared().lookup(bench.ticket()), 404)


def no_integer(bench: Bench) -> None:
    for text in ("abc", "1.5", "0x10", "1e3", "%22" + "3" + "%22", "true"):
        expect(bench.shared().lookup(text), 422)


def out_of_range(bench: Bench) -> None:
    for number in (0, -1, 2**63, 10**40):
        expect(bench.shared().lookup(number), 404, 422)


def protection(bench: Bench) -> None:
    server, payload = bench.shared(), good(bench.ticket())
    registered(server, payload)
    told = server.lookup(payload["ticket"])
    info = is_told(told, payload)
    active = info.get("protection_active")
    require(isinstance(active, bool), "protection_active is no boolean", told)


_TOPIC = "look-up"
CHECKS = (
    Check(
        "lookup-known",
        "MUST",
        _TOPIC,
        "A known ticket: 200, its data in trade_info, its state there and at the top.",
        known,
    ),
    Check("lookup-unknown", "MUST", _TOPIC, "An unknown ticket: 404.", unknown),
    Check("lookup-no-integer", "MUST", _TOPIC, "A ticket that is no integer: 422.", no_integer),
    Check(
        "lookup-out-of-range",
        "MUST",
        _TOPIC,
        "An integer that can be no ticket: 404 or 422, and no error of the server.",
        out_of_range,
    ),
    Check(
        "lookup-protection",
        "SHOULD",
        _TOPIC,
        "trade_info tells whether protection is active.",
        protection,
    ),
)
