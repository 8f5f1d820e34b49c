"""Servers whose answers are not true. One planted bug each."""

from __future__ import annotations

from typing import Any

from correct import Refused, Server, Trade


class UnknownIs200(Server):
    """Answers 200 for a ticket that it does not know."""

    def look_up(self, ticket: int) -> dict[str, Any]:
        self.require_ready()
        trade = self.trades.get(ticket) or Trade(ticket, "", "BUY", 0.0, 0.0, None, None)
        return self.told(trade)


class HealthInAList(Server):
    """Answers `[{...}, 503]` with status 200, as a web framework does with a pair it knows not."""

    async def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        status, told = await super().answer(method, path, body)
        if path == "/dtms/health":
            return 200, [told, status]
        return status, told


class HealthyWhateverHappens(Server):
    """Says ready from the first moment on."""

    def health(self) -> tuple[int, dict[str, Any]]:
        return 200, {**super().health()[1], "ready": True, "dtms_initialized": True}


class NotReadyIsRefused(HealthyWhateverHappens):
    """Says ready, and turns registrations away for good while it is not: 404 and no 503."""

    def require_ready(self) -> None:
        if not self.ready:
            raise Refused(404, "not_found", "there is no such route yet")


class RefusedAfterCommit(Server):
    """Registers, and says that it did not."""

    def enable(self, body: bytes) -> dict[str, Any]:
        told = super().enable(body)
        if self.read(body).take_profit is None:
            raise Refused(422, "invalid_request", "take_profit: is missing")
        return told


class ErrorAfterCommit(Server):
    """Registers, and stumbles over what comes after: every new trade is answered with 500."""

    def enable(self, body: bytes) -> dict[str, Any]:
        told = super().enable(body)
        if not told["already_registered"]:
            raise Refused(500, "internal", "'NoneType' object has no attribute 'notify'")
        return told


class UnknownUntilReady(Server):
    """Looks a ticket up in what it has recovered so far, and calls the others unknown."""

    def look_up(self, ticket: int) -> dict[str, Any]:
        if ticket not in self.trades:
            raise Refused(404, "unknown_ticket", f"ticket {ticket} is not registered")
        return self.told(self.trades[ticket])


class DropsAtInitialise(Server):
    """Begins anew when it is asked to initialise, and has forgotten everything."""

    def initialize(self) -> dict[str, Any]:
        self.trades.clear()
        return super().initialize()


class BadInputBreaksIt(Server):
    """Answers nothing but 500 after a body that was no JSON."""

    broken: frozenset[str] = frozenset()

    async def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path in self.broken:
            raise Refused(500, "internal", "the connection is in a failed transaction")
        try:
            return await super().answer(method, path, body)
        except Refused as refused:
            if refused.status == 400:
                self.broken |= {path}
            raise


class AnswersAnother(Server):
    """Keeps what it is about to answer in one place for all requests."""

    last: Trade | None = None

    def told(self, trade: Trade, **more: Any) -> dict[str, Any]:
        before, self.last = self.last, trade
        return super().told(before or trade, **more)


def unknown_is_200(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return UnknownIs200.at(data_dir, broker_url, registry_url)


def health_in_a_list(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return HealthInAList.at(data_dir, broker_url, registry_url)


def healthy_whatever_happens(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return HealthyWhateverHappens.at(data_dir, broker_url, registry_url)


def not_ready_is_refused(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return NotReadyIsRefused.at(data_dir, broker_url, registry_url)


def refused_after_commit(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return RefusedAfterCommit.at(data_dir, broker_url, registry_url)


def error_after_commit(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return ErrorAfterCommit.at(data_dir, broker_url, registry_url)


def unknown_until_ready(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return UnknownUntilReady.at(data_dir, broker_url, registry_url)


def drops_at_initialise(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return DropsAtInitialise.at(data_dir, broker_url, registry_url)


def bad_input_breaks_it(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return BadInputBreaksIt.at(data_dir, broker_url, registry_url)


def answers_another(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return AnswersAnother.at(data_dir, broker_url, registry_url)
