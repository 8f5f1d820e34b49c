"""The bugs that the cases in `scenarios/suites/regressions` were found with, put back.

By the name of the case: what is exchanged, and for what.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from core.acceptance import Differs, Present
from core.errors import OutboxFailed
from core.outcome import Conflict, Outcome, Registered


def _is_same_in_every_field(trade: object, other: object) -> bool:
    return trade == other


def _forgets_that_it_fell_back(_outbox: Any, _ticket: int) -> Future[None]:
    done: Future[None] = Future()
    done.set_result(None)
    return done


def _takes_all_for_its_own(_manager: Any) -> Any:
    async def owns(_ticket: int) -> bool:
        return False

    return owns


async def _leaves_it_to_aiohttp(request: Any, handler: Any) -> Any:
    return await handler(request)


async def _believes_one_answer(registrar: Any, drive: Any, accepted: Any) -> Outcome | None:
    ticket = drive.intent.ticket
    match await registrar._look_up(drive):
        case Present():
            return Registered(ticket, accepted.already, verified=True)
        case Differs(reason):
            return Conflict(ticket, reason)
        case _:
            return None


def _watches_nobody(_monitor: Any, _tickets: Any) -> None:
    """DTMS keeps what it has, whoever else has it: that would hide what clients did wrong."""


def _refuses_what_follows(outbox: Any, batch: Any, error: OSError) -> None:
    failed: set[int] = set()
    for ticket, change, done in batch:
        intent, result, _unwritten = change(outbox._intents.get(ticket))
        if intent is not None or ticket in failed:
            failed.add(ticket)
            done.set_exception(OutboxFailed(f"not durable: {error}"))
            done.exception()
        else:
            done.set_result(result)


Exchange = tuple[str, object]
BLIND: Exchange = ("simulator.monitor.Monitor.watch_ownership", _watches_nobody)

RELAPSES: dict[str, tuple[Exchange, ...]] = {
    "recovered-position-is-no-conflict": (
        ("core.trade.Trade.is_same_position", _is_same_in_every_field),
    ),
    "fallback-survives-a-crash": (
        ("scenarios.worlds.sim.outbox.DiskOutbox.fall_back", _forgets_that_it_fell_back),
        BLIND,
    ),
    "managed-trade-is-not-registered-anew": (
        ("core.recovery._asking", _takes_all_for_its_own),
        BLIND,
    ),
    "garbled-read-back-is-no-conflict": (
        ("core.registrar.Registrar._verify", _believes_one_answer),
    ),
    "known-trade-is-no-failure": (
        ("scenarios.worlds.sim.outbox.DiskOutbox._refuse", _refuses_what_follows),
    ),
    "two-services-one-strategy": (BLIND,),
    "no-library-sends-again": (("core.aiohttp_api._sent_once", _leaves_it_to_aiohttp),),
}
