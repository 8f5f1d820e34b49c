"""POST /dtms/trade/enable: what is taken, and what comes back."""

from __future__ import annotations

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Failed, expect, require
from scenarios.contract.registrations import STATES, good, is_kept, is_told, registered

CHANGES: dict[str, object] = {
    "symbol": "EURUSD",
    "direction": "SELL",
    "entry": 2351.0,
    "volume": 0.2,
    "stop_loss": 2341.0,
    "take_profit": None,
}


def new(bench: Bench) -> None:
    payload = good(bench.ticket())
    is_told(registered(bench.shared(), payload), payload)


def new_is_there(bench: Bench) -> None:
    payload = good(bench.ticket())
    registered(bench.shared(), payload)
    is_kept(bench.shared(), payload)


def again(bench: Bench) -> None:
    server, payload = bench.shared(), good(bench.ticket())
    registered(server, payload)
    told = server.enable(payload)
    body = expect(told, 200)
    require(body.get("success") is True, "success is not true", told)
    require(body.get("already_registered") is True, "already_registered is not true", told)
    is_told(told, payload)


def again_has_state(bench: Bench) -> None:
    server, payload = bench.shared(), good(bench.ticket())
    registered(server, payload)
    told = server.enable(payload)
    body = expect(told, 200)
    info = body.get("trade_info")
    found = [info.get("state") if isinstance(info, dict) else None, body.get("state")]
    require(any(state in STATES for state in found), "no state is told", told)


def conflict(bench: Bench) -> None:
    server, payload = bench.shared(), good(bench.ticket())
    registered(server, payload)
    for name, value in CHANGES.items():
        other = {**payload, name: value}
        if name == "direction":
            other |= {"stop_loss": None, "take_profit": None}
        expect(server.enable(other), 409)


def conflict_changes_nothing(bench: Bench) -> None:
    server, payload = bench.shared(), good(bench.ticket())
    registered(server, payload)
    server.enable({**payload, "volume": 0.2})
    is_kept(server, payload)


def conflict_told(bench: Bench) -> None:
    server, payload = bench.shared(), good(bench.ticket())
    registered(server, payload)
    told = server.enable({**payload, "volume": 0.2})
    body = told.json
    if told.status == 200 or not isinstance(body, dict):
        return  # told by `enable-conflict`
    require(body.get("error") == "ticket_conflict", "error is not ticket_conflict", told)
    details = body.get("details")
    if isinstance(details, dict) and isinstance(details.get("trade_info"), dict):
        raise Failed("details holds a trade_info, and must be one", told)
    is_told(told, payload, details if isinstance(details, dict) else {})


def unknown_fields(bench: Bench) -> None:
    server, payload = bench.shared(), good(bench.ticket())
    given = {**payload, "comment": "x", "nested": {"a": [1, None]}, "entry_price": 1.0}
    is_told(registered(server, given), payload)
    told = server.enable(payload)
    expect(told, 200)


def stops_left_out(bench: Bench) -> None:
    server = bench.shared()
    absent = good(bench.ticket())
    del absent["stop_loss"], absent["take_profit"]
    null = good(bench.ticket(), stop_loss=None, take_profit=None)
    for payload in (absent, null):
        told = registered(server, payload)
        is_told(told, {**payload, "stop_loss": None, "take_profit": None})
        is_kept(server, payload)


def sell(bench: Bench) -> None:
    payload = good(bench.ticket(), direction="SELL", stop_loss=2360.0, take_profit=2330.0)
    registered(bench.shared(), payload)
    is_kept(bench.shared(), payload)


def limits(bench: Bench) -> None:
    server = bench.shared()
    cases = [
        good(bench.ticket(), volume=1000, symbol="X" * 32),
        good(bench.ticket(), entry=2350, stop_loss=2340, take_profit=2370, volume=1),
        good(bench.ticket(), symbol="A b.#_", volume=0.000001),
    ]
    if bench.starts_it:
        cases += [good(2**63 - 1), good(1)]
    for payload in cases:
        told = server.enable(payload)
        expect(told, 200)
        is_told(told, payload)
        is_kept(server, payload)


def wire_name(bench: Bench) -> None:
    server, payload = bench.shared(), good(bench.ticket())
    payload["entry_price"] = payload.pop("entry")
    expect(server.enable(payload), 422)


def summary(bench: Bench) -> None:
    told = registered(bench.shared(), good(bench.ticket()))
    body = expect(told, 200)
    require(isinstance(body.get("summary"), str), "summary is no string", told)


_TOPIC = "enable"
CHECKS = (
    Check(
        "enable-new",
        "MUST",
        _TOPIC,
        "A new ticket: 200, success true, already_registered false, trade_info as it was sent.",
        new,
    ),
    Check(
        "enable-new-is-there",
        "MUST",
        _TOPIC,
        "A ticket that was acknowledged is found under its number, with its data.",
        new_is_there,
    ),
    Check(
        "enable-again",
        "MUST",
        _TOPIC,
        "The same ticket with the same data: 200, already_registered true, the stored trade_info.",
        again,
    ),
    Check(
        "enable-again-state",
        "MUST",
        _TOPIC,
        "The same ticket with the same data: the answer tells the state, too.",
        again_has_state,
    ),
    Check(
        "enable-conflict",
        "MUST",
        _TOPIC,
        "The same ticket with other data, whichever field differs: 409.",
        conflict,
    ),
    Check(
        "enable-conflict-changes-nothing",
        "MUST",
        _TOPIC,
        "After other data under a known ticket, what is stored is as before.",
        conflict_changes_nothing,
    ),
    Check(
        "enable-conflict-told",
        "MUST",
        _TOPIC,
        "A conflict is called ticket_conflict, and its details are the stored trade_info.",
        conflict_told,
    ),
    Check(
        "enable-unknown-fields",
        "MUST",
        _TOPIC,
        "Unknown fields are ignored, entry_price among them.",
        unknown_fields,
    ),
    Check(
        "enable-without-stops",
        "MUST",
        _TOPIC,
        "stop_loss and take_profit may be null or left out.",
        stops_left_out,
    ),
    Check(
        "enable-sell",
        "MUST",
        _TOPIC,
        "A SELL with its stop above and its target below the entry is taken.",
        sell,
    ),
    Check(
        "enable-limits",
        "MUST",
        _TOPIC,
        "Tickets from 1 to 2^63-1, symbols of 32, volumes of 1000 and whole numbers are taken.",
        limits,
    ),
    Check(
        "enable-wire-name",
        "MUST",
        _TOPIC,
        "entry_price is not a wire name: without entry it is a 422.",
        wire_name,
    ),
    Check("enable-summary", "SHOULD", _TOPIC, "A success has a summary in words.", summary),
)
