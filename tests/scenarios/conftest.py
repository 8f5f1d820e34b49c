"""The judge's tests write histories as text:

    0.1s  bot     invoke register 1001
    0.12s wire/0  invoke enable 1001 service=bot
    0.15s wire/0  ok     enable 1001 new
    0.2s  bot     ok     register 1001
    9.0s  auditor ok     read-all 1001 1002:CLOSED 1003:absent

`key=value` goes into the value (JSON where it parses), a value that starts with `{` or `[` is JSON
as it stands, `! words` is the error. On the wire `new`, `already` or a status stands for the answer
delivered, `server=new` for what the server said. Trades are TRADE where nothing else is said.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from scenarios.history import History, Op

TRADE: dict[str, Any] = {
    "symbol": "XAUUSD",
    "direction": "BUY",
    "entry": 2350.0,
    "volume": 0.1,
    "stop_loss": 2340.0,
    "take_profit": 2370.0,
}
HEADER: dict[str, Any] = {
    "scenario": "written-down",
    "level": "durable",
    "policy": {
        "retries": 3,
        "base_s": 0.1,
        "factor": 2.0,
        "cap_s": 1.0,
        "timeout_s": 1.0,
        "deadline_s": 6.0,
        "breaker_threshold": 5,
        "breaker_cooldown_s": 1.5,
        "resume_interval_s": 0.25,
    },
    "bounds": {"unprotected_s": 5.0, "blocked_s": 12.0, "amplification": None},
}


@pytest.fixture
def history() -> Callable[..., History]:
    """Makes a history of text; keywords change fields of the header."""

    def parse(text: str, **header: object) -> History:
        ops = [Op(0, 0, "world", "ok", "episode", {**HEADER, **header})]
        for words in filter(None, (line.strip() for line in text.splitlines())):
            ops.append(_op(len(ops), words))
        return History(tuple(ops))

    return parse


@pytest.fixture
def header() -> dict[str, Any]:
    """The header that `history` writes."""
    return json.loads(json.dumps(HEADER))


@pytest.fixture
def trade() -> dict[str, Any]:
    """The trade that everything is about."""
    return dict(TRADE)


def _op(index: int, line: str) -> Op:
    told, _, error = line.partition(" ! ")
    time, process, type_, f, *words = told.split(maxsplit=4)
    rest = words[0] if words else ""
    value = _value(process, type_, f, rest)
    time_us = round(float(time.removesuffix("s")) * 1e6)
    return Op(index, time_us, process, type_, f, value, error or None)  # type: ignore[arg-type]


def _value(process: str, type_: str, f: str, rest: str) -> object:
    if rest.startswith(("{", "[")):
        return json.loads(rest)
    words = rest.split()
    named = {k: _json(v) for k, _, v in (w.partition("=") for w in words if "=" in w)}
    plain = [word for word in words if "=" not in word]
    about_one = f != "health" and plain and plain[0].isdigit()
    ticket = {"ticket": int(plain[0])} if about_one else {}
    if process.startswith(("wire", "network")):
        if type_ == "invoke":
            service = named.pop("service", "bot")
            payload = {**ticket, **TRADE, **named} if f == "enable" else None
            return {"link": f"{service}->dtms", "service": service, **ticket, "payload": payload}
        said = plain[1:] if ticket else plain
        server = named.pop("server", None)
        return {**ticket, **named, **_answer(said, ticket), **_said(server, ticket)}
    match f:
        case "register" if type_ == "invoke":
            via = {"via": named.pop("via", "register")}
            return {**ticket, "trade": {**TRADE, **named}, **via}
        case "execute":
            return {**ticket, **TRADE, "strategy_type": None, **named}
        case "read-all":
            return dict(_held(word) for word in words)
        case "who-manages":
            return named
        case "universal":
            return [int(word) for word in plain]
        case "phase":
            return {"name": plain[0]}
        case "health" if plain:
            return {"status_code": int(plain[0]), **named, "body": named}
        case _ if process == "world":
            return {"actor": plain[0], **named}
        case _:
            return {**ticket, **named} if ticket or named else None


def _held(word: str) -> tuple[str, object]:
    """`1001`, `1001:CLOSED`, `1001:absent`, `1001:idle`, `1001:volume=0.3`."""
    ticket, _, how = word.partition(":")
    info = {"ticket": int(ticket), **TRADE, "state": "HEALTHY", "protection_active": True}
    info["entry_price"] = info.pop("entry")
    if how == "absent":
        return ticket, None
    if how == "CLOSED":
        info |= {"state": "CLOSED", "protection_active": False}
    elif how == "idle":
        info["protection_active"] = False
    elif how:
        name, _, value = how.partition("=")
        info[name] = _json(value)
    return ticket, {"success": True, "state": info["state"], "trade_info": info}


def _answer(said: list[str], ticket: dict[str, int]) -> dict[str, object]:
    if not said:
        return {}
    status, body = _status_and_body(said[0], ticket)
    return {"status": status, "body": body}


def _said(server: object, ticket: dict[str, int]) -> dict[str, object]:
    if server is None:
        return {}
    status, body = _status_and_body(str(server), ticket)
    return {"server_status": status, "server_body": body}


def _status_and_body(word: str, ticket: dict[str, int]) -> tuple[int, object]:
    info = {**ticket, **TRADE, "state": "HEALTHY"}
    match word:
        case "new" | "already":
            already = word == "already"
            body = {"success": True, "already_registered": already, "trade_info": info}
            return 200, body
        case "held":
            return 200, {"success": True, "state": "HEALTHY", "trade_info": info}
        case "ready":
            return 200, {"ready": True, "dtms_initialized": True, "monitoring_active": True}
        case "unready":
            return 503, {"ready": False, "error": "not_ready"}
        case "not_ready":
            return 503, {"error": "not_ready", "message": "not yet"}
        case _:
            return int(word), {"error": "told", "message": "by the test"}


def _json(word: str) -> object:
    try:
        return json.loads(word)
    except ValueError:
        return word
