"""A start while the broker tells nothing, in whatever way: nothing is changed, and ready waits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Failed, Need, Undecided, expect, require
from scenarios.contract.exchange import Exchange
from scenarios.contract.registrations import Payload, good, is_closed, is_told, registered
from scenarios.contract.server import READY_S_MAX, Server

SLOW_S = 1.5
"""How long a slow broker takes for an answer; less than clients commonly wait."""
TRIES_MAX = 3
"""Starts with a slow broker, since a busy machine may hold up a server that does not wait."""
WORDS = {
    "down": "is down",
    "no_data": "says no data",
    "raises": "raises",
    "rubbish": "answers what is no JSON",
    "slow": "is slow",
}
SILENT = tuple(mode for mode in WORDS if mode != "slow")


@dataclass(frozen=True, slots=True)
class Untold:
    """`first` is the first answer of /dtms/health after the start, and whether it came before the
    broker's; `kept` the look-up once the broker had answered well."""

    payload: Payload
    first: Exchange
    kept: Exchange
    promptly: bool = True


def untold(bench: Bench) -> dict[str, Untold | Failed | Undecided]:
    """By what the broker did. One store for all, in which each has a trade of its own, so that
    what one of them spoils is not another's."""
    seen: dict[str, Untold | Failed | Undecided] = {}
    with bench.own(broker=True) as server:
        for mode in WORDS:
            try:
                seen[mode] = _restarted(bench, server, mode)
            except (Failed, Undecided) as error:
                seen[mode] = error
    return seen


def _restarted(bench: Bench, server: Server, mode: str) -> Untold:
    payload = good(bench.ticket())
    server.broker.behaves("ok")
    server.broker.opens(payload)
    if not server.running:
        server.start()
    server.must_be_ready()
    registered(server, payload)
    server.kill()
    server.broker.behaves(mode, SLOW_S)
    if mode == "slow":
        first, promptly = _answered_meanwhile(server)
    else:
        server.start()
        first, promptly = server.first_answer("/dtms/health"), True
    server.broker.behaves("ok")
    server.must_be_ready()
    return Untold(payload, first, server.lookup(payload["ticket"]), promptly)


def _answered_meanwhile(server: Server) -> tuple[Exchange, bool]:
    """An answer of /dtms/health that was asked for while the broker was being asked, and whether
    it came before the broker's own."""
    for again in range(TRIES_MAX):
        if again:
            server.kill()
        since, _answered = server.broker.counts()
        server.start()
        if not server.broker.is_asked(since, READY_S_MAX):
            raise Undecided("the server did not ask the broker when it was started")
        told = server.first_answer("/dtms/health")
        promptly = server.broker.counts()[1] <= since
        if promptly:
            break
    return told, promptly


def _untold(bench: Bench, mode: str) -> Untold:
    seen = bench.seen("untold", untold)[mode]
    if isinstance(seen, Exception):
        raise seen
    return seen


def is_not_empty(mode: str, bench: Bench) -> None:
    seen = _untold(bench, mode)
    if seen.promptly:
        ready = seen.first.status == 200
        require(not ready, "it is ready, and the broker has told nothing", seen.first)
    expect(seen.kept, 200)
    is_told(seen.kept, seen.payload)
    require(not is_closed(seen.kept), "it was closed while the broker told nothing", seen.kept)


def answers_meanwhile(bench: Bench) -> None:
    seen = _untold(bench, "slow")
    require(seen.promptly, "it answered only after the broker had", seen.first)
    expect(seen.first, 503)


_TOPIC = "start-up"
_BROKER: frozenset[Need] = frozenset({"own", "broker"})
CHECKS = (
    *(
        Check(
            f"{mode.replace('_', '-')}-is-not-empty",
            "MUST",
            _TOPIC,
            f"A broker that {words} at the start changes nothing, and delays ready.",
            partial(is_not_empty, mode),
            _BROKER,
        )
        for mode, words in WORDS.items()
    ),
    Check(
        "answers-while-broker-slow",
        "MUST",
        _TOPIC,
        "The port is open while the broker is asked: /dtms/health is 503 before it has answered.",
        answers_meanwhile,
        _BROKER,
    ),
)
