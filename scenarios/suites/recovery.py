"""Family `recovery`: processes die between two lines of code, stores fail, the broker is odd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from chaos.faults import BrokerFault, CorruptStore, Kill, ServerFault
from chaos.schedule import Scheduled, during
from scenarios.scenario import Bounds, Family, Need, Plan, Scenario, always
from scenarios.suites.promises import CRASHED, REGISTERED
from scenarios.workload import (
    Blotter,
    ClosePosition,
    Execute,
    Lane,
    Operation,
    Position,
    Register,
    Workload,
    steady,
)

TWO = ("bot", "desktop")
BROKER: frozenset[Need] = frozenset({"broker"})


def killed_at_random(actor: str, down_s: float) -> Plan:
    """kill -9 at a moment drawn from the seed, somewhere in the load."""

    def plan(random: Random) -> tuple[Scheduled, ...]:
        begin = random.uniform(0.02, 0.8)
        return (during(begin, begin + down_s, Kill(actor)),)

    return plan


def killed_alone(random: Random) -> tuple[Scheduled, ...]:
    """kill -9 of the client somewhere in the load, while the API is down."""
    begin = random.uniform(0.2, 0.9)
    return (during(0.1, 2.0, Kill("dtms")), during(begin, begin + 0.4, Kill("bot")))


def store_trouble(name: str, proves: str, **fault: object) -> Scenario:
    """The server's store misbehaves for a second and a half under load."""
    return Scenario(
        name=name,
        family=Family.RECOVERY,
        proves=proves,
        workload=steady(TWO, trades=14, over_s=1.5),
        faults=always(during(0.3, 1.8, ServerFault("dtms", fault))),
        faults_last_s=2.0,
        services=TWO,
        checkers=(*REGISTERED, "health_tells_the_truth"),
        demands="helper",
    )


def crash_at(name: str, proves: str, point: str) -> Scenario:
    """The server kills itself at a named point of its third registration."""
    return Scenario(
        name=name,
        family=Family.RECOVERY,
        proves=proves,
        workload=steady(TWO, trades=14, over_s=1.5),
        faults=always(
            during(0.2, 1.8, ServerFault("dtms", {"fault": "crash", "point": point, "after": 3})),
        ),
        faults_last_s=2.0,
        services=TWO,
        checkers=REGISTERED,
        demands="helper",
    )


def broker_trouble(name: str, proves: str, mode: str, *also: str) -> Scenario:
    """The broker is odd while the server restarts, and well again a second later; judged also by
    the checkers `also`."""
    return Scenario(
        name=name,
        family=Family.RECOVERY,
        proves=proves,
        workload=steady(TWO, trades=10, over_s=1.0),
        faults=always(
            during(1.1, 2.6, BrokerFault(mode)),
            during(1.2, 1.5, Kill("dtms")),
        ),
        faults_last_s=2.8,
        services=TWO,
        needs=BROKER,
        checkers=(*REGISTERED, *also),
    )


def while_down(change: Callable[[int, Position], Operation | None]) -> Workload:
    """Trades are registered; `change` says what the broker does to each while the server is down;
    one more trade comes when it is back."""

    def lanes(random: Random) -> tuple[Lane, ...]:
        blotter = Blotter(random)
        made = []
        for n in range(8):
            position = blotter.position()
            made.append(Lane("bot", 0.05 * n, (Execute(position), Register(position))))
            if (operation := change(n, position)) is not None:
                made.append(Lane("broker", 1.6, (operation,)))
        last = blotter.position()
        return (*made, Lane("bot", 2.3, (Execute(last), Register(last))))

    return lanes


def restarted(
    name: str, proves: str, change: Callable[[int, Position], Operation | None]
) -> Scenario:
    """The server is killed, and comes back to a broker that has moved on."""
    return Scenario(
        name=name,
        family=Family.RECOVERY,
        proves=proves,
        workload=while_down(change),
        faults=always(during(1.2, 2.0, Kill("dtms"))),
        faults_last_s=2.4,
        needs=BROKER,
        checkers=REGISTERED,
    )


RECOVERY = (
    Scenario(
        name="kill-after-ack",
        family=Family.RECOVERY,
        proves="kill -9 of the server at any moment under load: nothing acknowledged is lost.",
        workload=steady(("bot",), trades=12, over_s=0.8),
        faults=killed_at_random("dtms", down_s=0.1),
        faults_last_s=1.0,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="kill-client",
        family=Family.RECOVERY,
        proves="kill -9 of the client at any moment under load: nothing it accepted is forgotten.",
        workload=steady(("bot",), trades=12, over_s=0.8, via="auto"),
        faults=killed_at_random("bot", down_s=0.1),
        faults_last_s=1.0,
        needs=BROKER,
        checkers=CRASHED,
    ),
    Scenario(
        name="kill-both",
        family=Family.RECOVERY,
        proves="Client and server are killed at once, come back, and no trade is missing.",
        workload=steady(TWO, trades=16, over_s=1.2),
        faults=always(during(0.5, 1.2, Kill("dtms")), during(0.5, 0.9, Kill("bot"))),
        faults_last_s=1.8,
        services=TWO,
        needs=BROKER,
        checkers=CRASHED,
    ),
    crash_at(
        "crash-before-commit",
        "Dead between request and commit: not acknowledged, tried again, there once.",
        "before-commit",
    ),
    crash_at(
        "crash-after-commit",
        "Dead between commit and answer: there, and found there by whoever asks again.",
        "after-commit",
    ),
    Scenario(
        name="crash-during-recovery",
        family=Family.RECOVERY,
        proves="Dead again in the middle of its recovery, the server recovers all the same.",
        workload=steady(TWO, trades=14, over_s=1.0),
        faults=always(
            during(1.1, 1.3, Kill("dtms")),
            during(1.2, 2.4, ServerFault("dtms", {"fault": "crash", "point": "during-recovery"})),
        ),
        faults_last_s=2.6,
        services=TWO,
        needs=BROKER,
        checkers=REGISTERED,
    ),
    store_trouble(
        "store-fails",
        "A store that cannot persist is answered as 503, and nothing is active that is not stored.",
        fault="store-fails",
    ),
    store_trouble("store-locked", "A locked store costs time, no trade.", fault="store-locked"),
    store_trouble("store-full", "A full disk is told, and survived.", fault="store-full"),
    store_trouble(
        "store-read-only", "A read-only disk is told, and survived.", fault="store-read-only"
    ),
    store_trouble(
        "store-slow",
        "Commits that take longer than clients wait still register every trade once.",
        fault="store-slow",
        delay_s=0.6,
    ),
    Scenario(
        name="store-corrupt",
        family=Family.RECOVERY,
        proves="A corrupt store is set aside, told as degraded, and rebuilt from the broker.",
        workload=steady(TWO, trades=10, over_s=1.0),
        faults=always(
            during(1.2, 1.6, Kill("dtms")),
            during(1.4, 1.5, CorruptStore("dtms")),
        ),
        faults_last_s=2.4,
        services=TWO,
        needs=BROKER,
        checkers=REGISTERED,
    ),
    broker_trouble(
        "broker-down-at-restart",
        "A broker that is down while the server restarts closes no registration.",
        "down",
    ),
    broker_trouble(
        "broker-without-data-at-restart",
        '"No data" from the broker is never taken for "no positions".',
        "no_data",
        "health_tells_the_truth",
    ),
    broker_trouble(
        "broker-slow-at-restart",
        "A slow broker at restart delays readiness and loses nothing.",
        "slow",
        "health_tells_the_truth",
    ),
    restarted(
        "closed-while-down",
        "Positions that closed while the server was down are closed there at recovery.",
        lambda n, position: ClosePosition(position.ticket) if n % 2 else None,
    ),
    restarted(
        "broker-empty-at-restart",
        "A broker that answers with no position at all closes every registration.",
        lambda _n, position: ClosePosition(position.ticket),
    ),
    restarted(
        "broker-mismatching-at-restart",
        "Where broker and store differ at recovery the broker's data win.",
        lambda n, position: Execute(replace(position, volume=3.0)) if n % 2 else None,
    ),
    Scenario(
        name="client-killed-without-broker",
        family=Family.RECOVERY,
        proves="After kill -9 a client goes on with what it accepted, with no broker to remind it.",
        workload=steady(("bot",), trades=12, over_s=0.8, via="auto"),
        faults=killed_alone,
        faults_last_s=2.2,
        bounds=Bounds(unprotected_s=6.0),
        checkers=tuple(name for name in CRASHED if name != "unprotected_time_is_bounded"),
    ),
    Scenario(
        name="client-resumes",
        family=Family.RECOVERY,
        proves="A client killed while the API is down resumes what it had accepted.",
        workload=steady(("bot",), trades=10, over_s=0.8, via="auto"),
        faults=always(during(0.1, 2.0, Kill("dtms")), during(1.0, 1.4, Kill("bot"))),
        faults_last_s=2.2,
        needs=BROKER,
        bounds=Bounds(unprotected_s=6.0),
        checkers=CRASHED,
    ),
)
