"""Clients that send another trade than was executed, or none. One planted bug each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from correct import Client, helper

Payload = dict[str, Any] | None


class ZeroIsMissing(Client):
    """Takes a zero for "not given" and looks for another name."""

    def payload(self, ticket: int, trade: Mapping[str, Any]) -> Payload:
        inner = trade.get("details") or {}
        given = {**inner, **trade}
        seen = {name: value for name, value in given.items() if value != 0}
        return super().payload(ticket, seen)


class StopsSwapped(Client):
    """Sends the stop as the target, and the target as the stop."""

    def payload(self, ticket: int, trade: Mapping[str, Any]) -> Payload:
        made = super().payload(ticket, trade)
        if made is not None:
            stop, target = made["stop_loss"], made["take_profit"]
            made.update(stop_loss=target, take_profit=stop)
        return made


class StopForgotten(Client):
    """Knows the stop by one of its names only, and registers without it otherwise."""

    def payload(self, ticket: int, trade: Mapping[str, Any]) -> Payload:
        made = super().payload(ticket, trade)
        if made is not None:
            made["stop_loss"] = trade.get("stop_loss")
        return made


class VolumeRounded(Client):
    """Sends the volume in tenths of a lot."""

    def payload(self, ticket: int, trade: Mapping[str, Any]) -> Payload:
        made = super().payload(ticket, trade)
        if made is not None:
            made["volume"] = max(0.1, round(made["volume"], 1))
        return made


class StringTicket(Client):
    """Sends the ticket as a string, and believes the refusal."""

    def payload(self, ticket: int, trade: Mapping[str, Any]) -> Payload:
        made = super().payload(ticket, trade)
        return None if made is None else {**made, "ticket": str(ticket)}


class DirectionAsGiven(Client):
    """Sends `buy` where `buy` was given, and believes the refusal."""

    def payload(self, ticket: int, trade: Mapping[str, Any]) -> Payload:
        made = super().payload(ticket, trade)
        if made is not None:
            made["direction"] = trade.get("direction", made["direction"])
        return made


class DetailsIgnored(Client):
    """Does not look under `details`, and drops what it does not find at the top."""

    def payload(self, ticket: int, trade: Mapping[str, Any]) -> Payload:
        return super().payload(ticket, {n: v for n, v in trade.items() if n != "details"})


zero_is_missing = helper(ZeroIsMissing)
stops_swapped = helper(StopsSwapped)
stop_forgotten = helper(StopForgotten)
volume_rounded = helper(VolumeRounded)
string_ticket = helper(StringTicket)
direction_as_given = helper(DirectionAsGiven)
details_ignored = helper(DetailsIgnored)
