"""Good registrations, and whether what a server tells of one is what it was given."""

from __future__ import annotations

from collections.abc import Mapping

from scenarios.contract.check import Failed, expect, require
from scenarios.contract.exchange import Exchange
from scenarios.contract.server import Server

Payload = dict[str, object]
NAMES = {
    "ticket": "ticket",
    "symbol": "symbol",
    "direction": "direction",
    "entry": "entry_price",
    "volume": "volume",
    "stop_loss": "stop_loss",
    "take_profit": "take_profit",
}
"""On the wire, and in `trade_info`."""
STATES = ("HEALTHY", "WARNING_L1", "WARNING_L2", "HEDGED", "RECOVERING", "CLOSED")


def good(ticket: int, /, **changed: object) -> Payload:
    """A registration that must be taken."""
    return {
        "ticket": ticket,
        "symbol": "XAUUSD",
        "direction": "BUY",
        "entry": 2350.0,
        "volume": 0.1,
        "stop_loss": 2340.0,
        "take_profit": 2370.0,
        **changed,
    }


def registered(server: Server, payload: Mapping[str, object]) -> Exchange:
    """Registers it. Raises `Failed` where it is not taken as new."""
    told = server.enable(payload)
    body = expect(told, 200)
    if body.get("success") is not True or body.get("already_registered") is not False:
        raise Failed("a new registration needs success true, already_registered false", told)
    return told


def is_told(told: Exchange, payload: Mapping[str, object], body: object = None) -> Payload:
    """The `trade_info` of the answer (or `body` itself, where that is one), in which each field is
    what was registered. Raises `Failed`."""
    info = body
    if info is None:
        info = told.json.get("trade_info") if isinstance(told.json, dict) else None
    if not isinstance(info, dict):
        raise Failed("there is no trade_info", told)
    for sent, name in NAMES.items():
        wanted, found = payload.get(sent), info.get(name)
        if name not in info or not _same(wanted, found):
            raise Failed(f"{name} is {found!r}, and {wanted!r} was registered", told)
    return info


def is_kept(server: Server, payload: Mapping[str, object]) -> Exchange:
    """The look-up, which must tell what was registered. Raises `Failed`."""
    told = server.lookup(payload["ticket"])
    expect(told, 200)
    is_told(told, payload)
    return told


def is_unknown(server: Server, ticket: int) -> None:
    """The look-up must not find it. Raises `Failed`. That it is a 404 is for `lookup-unknown`."""
    told = server.lookup(ticket)
    info = told.json.get("trade_info") if isinstance(told.json, dict) else None
    if told.status == 200 and isinstance(info, dict) and info.get("ticket") == ticket:
        raise Failed("it was refused, and is registered all the same", told)


def state_of(told: Exchange) -> object:
    """What stands under `state` at the top of the answer."""
    return told.json.get("state") if isinstance(told.json, dict) else None


def is_closed(told: Exchange) -> bool:
    """Whether the look-up says that nothing is registered, or not any more."""
    return told.status == 404 or (told.status == 200 and state_of(told) == "CLOSED")


def has_error_body(told: Exchange) -> None:
    """What every error body has. Raises `Failed`."""
    body = told.json if isinstance(told.json, dict) else {}
    for name, kind in (("error", str), ("message", str), ("details", dict)):
        require(isinstance(body.get(name), kind), f"{name} is missing or no {kind}", told)
    require(isinstance(body.get("correlation_id"), str), "there is no correlation_id", told)


def _same(wanted: object, found: object) -> bool:
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    if isinstance(wanted, int | float):
        return isinstance(found, int | float) and found == wanted
    return type(wanted) is type(found) and wanted == found
