"""Bad input of every kind, one check for each: refused, nothing stored, and the next good request
works."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial

from scenarios.bad_input import BAD_BODIES, BAD_TICKET
from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Failed, expect, require
from scenarios.contract.registrations import good, is_unknown, registered
from scenarios.contract.server import ENABLE, JSON

BODY_BYTES_MAX = 64 * 1024
UNPARSABLE = (400, 422)


@dataclass(frozen=True, slots=True)
class Bad:
    """A body for BAD_TICKET, the statuses that refuse it, and the field that must be named."""

    body: bytes
    expected: tuple[int, ...]
    field: str = ""


def _with(field: str, value: object, **more: object) -> Bad:
    return Bad(json.dumps(good(BAD_TICKET, **{field: value, **more})).encode(), (422,), field)


def _without(field: str) -> Bad:
    payload = good(BAD_TICKET)
    del payload[field]
    return Bad(json.dumps(payload).encode(), (422,), field)


_FIELDS = {
    "string-ticket": "ticket",
    "float-ticket": "ticket",
    "boolean-ticket": "ticket",
    "zero-ticket": "ticket",
    "huge-ticket": "ticket",
    "negative-volume": "volume",
    "volume-too-large": "volume",
    "missing-entry": "entry",
    "null-entry": "entry",
    "long-symbol": "symbol",
    "empty-symbol": "symbol",
    "unknown-direction": "direction",
    "stop-on-wrong-side": "stop_loss",
    "target-on-wrong-side": "take_profit",
}
BAD: dict[str, Bad] = {
    **{
        name: Bad(bad.body, bad.expected, _FIELDS.get(name, ""))
        for name, bad in BAD_BODIES.items()
        if name != "too-large"  # a check of its own
    },
    "missing-ticket": _without("ticket"),
    "missing-symbol": _without("symbol"),
    "missing-direction": _without("direction"),
    "missing-volume": _without("volume"),
    "null-ticket": _with("ticket", None),
    "negative-ticket": _with("ticket", -1),
    "number-symbol": _with("symbol", 5),
    "blank-control-symbol": _with("symbol", "XAU\u0000USD"),
    "small-letters-direction": _with("direction", "buy"),
    "string-entry": _with("entry", "2350.0"),
    "zero-entry": _with("entry", 0),
    "negative-entry": _with("entry", -2350.0, stop_loss=None, take_profit=None),
    "nan-stop": Bad(json.dumps(good(BAD_TICKET, stop_loss=float("nan"))).encode(), UNPARSABLE),
    "boolean-volume": _with("volume", True),
    "string-volume": _with("volume", "0.1"),
    "zero-volume": _with("volume", 0),
    "zero-stop": _with("stop_loss", 0),
    "string-target": _with("take_profit", "2370.0"),
    "list-stop": _with("stop_loss", [2340.0]),
    "sell-stop-below": _with("stop_loss", 2340.0, direction="SELL", take_profit=None),
    "sell-target-above": _with("take_profit", 2370.0, direction="SELL", stop_loss=None),
    "null-body": Bad(b"null", (422,)),
    "deep-list": Bad(b"[" * 30_000 + b"]" * 30_000, UNPARSABLE),
    "number-too-long": Bad(
        json.dumps(good(BAD_TICKET)).replace("2350.0", "9" * 5_000).encode(), UNPARSABLE
    ),
}


def refused(name: str, bench: Bench) -> None:
    server, bad, ticket = bench.shared(), BAD[name], bench.ticket()
    told = server.enable(bad.body.replace(str(BAD_TICKET).encode(), str(ticket).encode()))
    expect(told, *bad.expected)
    is_unknown(server, ticket)
    registered(server, good(ticket))


def string_is_not_number(bench: Bench) -> None:
    """A ticket that is known as a number is not known as a string."""
    server, payload = bench.shared(), good(bench.ticket())
    registered(server, payload)
    expect(server.enable({**payload, "ticket": str(payload["ticket"])}), 422)


def named(bench: Bench) -> None:
    server = bench.shared()
    for name, bad in BAD.items():
        if not bad.field:
            continue
        told = server.enable(bad.body.replace(str(BAD_TICKET).encode(), b"%d" % bench.ticket()))
        if told.status == 422 and bad.field.encode() not in told.raw:
            raise Failed(f"{bad.field} is not named, where {name} was sent", told)


def over_the_limit(bench: Bench) -> None:
    ticket = bench.ticket()
    expect(bench.shared().enable(_padded(ticket, BODY_BYTES_MAX + 1)), 413)
    is_unknown(bench.shared(), ticket)


def over_the_limit_in_chunks(bench: Bench) -> None:
    ticket = bench.ticket()
    body = _padded(ticket, BODY_BYTES_MAX + 1)
    expect(bench.shared().ask("POST", ENABLE, body, JSON, chunked=True), 413)
    is_unknown(bench.shared(), ticket)


def at_the_limit(bench: Bench) -> None:
    expect(bench.shared().enable(_padded(bench.ticket(), BODY_BYTES_MAX)), 200)


def status_of_no_json(bench: Bench) -> None:
    for body in (b"{", b"", b"\xff\xfe", b'{"ticket": 1,}'):
        told = bench.shared().enable(body)
        require(told.status == 400, f"400 is the status, not {told.status}", told)


def _padded(ticket: int, size: int) -> bytes:
    empty = json.dumps({**good(ticket), "note": ""}).encode()
    return json.dumps({**good(ticket), "note": "x" * (size - len(empty))}).encode()


_TOPIC = "bad input"
CHECKS = (
    *(
        Check(
            f"refuses-{name}",
            "MUST",
            _TOPIC,
            f"{name.replace('-', ' ')}: {' or '.join(map(str, bad.expected))}; nothing is stored, "
            "and the next good request works.",
            partial(refused, name),
        )
        for name, bad in BAD.items()
    ),
    Check(
        "string-is-not-number",
        "MUST",
        _TOPIC,
        'Numbers 3 and strings "3" are not the same ticket: the string is a 422.',
        string_is_not_number,
    ),
    Check("names-the-field", "MUST", _TOPIC, "A 422 names the field that is wrong.", named),
    Check("body-too-large", "MUST", _TOPIC, "A body over 64 KiB: 413.", over_the_limit),
    Check(
        "body-too-large-chunked",
        "MUST",
        _TOPIC,
        "A body over 64 KiB whose length is not told before: 413.",
        over_the_limit_in_chunks,
    ),
    Check(
        "body-at-limit",
        "SHOULD",
        _TOPIC,
        "A body of 64 KiB is not over 64 KiB, and is read.",
        at_the_limit,
    ),
    Check("no-json-is-400", "SHOULD", _TOPIC, "What is no JSON: 400.", status_of_no_json),
)
