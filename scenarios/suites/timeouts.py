"""Family `timeouts`: answers come late, in pieces, or never."""

from __future__ import annotations

from chaos.faults import (
    DropAnswer,
    DropRequest,
    HalfOpen,
    Latency,
    Pause,
    Reset,
    Stall,
    Trickle,
)
from chaos.schedule import during
from scenarios.scenario import Bounds, Family, Policy, Scenario, always
from scenarios.suites.promises import NOTICED, REGISTERED
from scenarios.workload import steady

TWO = ("bot", "desktop")

TIMEOUTS = (
    Scenario(
        name="slow-answers",
        family=Family.TIMEOUTS,
        proves="Answers that come late, but in time, cost patience and nothing else.",
        workload=steady(TWO, trades=10, over_s=1.5),
        faults=always(during(0.0, 2.0, Latency("*->dtms", latency_ms=200, jitter_ms=150))),
        faults_last_s=2.0,
        services=TWO,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="frozen-server",
        family=Family.TIMEOUTS,
        proves="A server that hangs (SIGSTOP) under load and goes on costs no trade.",
        workload=steady(TWO, trades=16, over_s=1.5),
        faults=always(during(0.5, 2.5, Pause("dtms"))),
        faults_last_s=2.6,
        services=TWO,
        checkers=(*REGISTERED, "health_tells_the_truth"),
        demands="helper",
    ),
    Scenario(
        name="silent-link",
        family=Family.TIMEOUTS,
        proves="A connection that falls silent and stays open is given up and tried anew.",
        workload=steady(("bot",), trades=8, over_s=1.5),
        faults=always(during(0.4, 2.4, Stall("bot->dtms"))),
        faults_last_s=2.5,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="request-lost",
        family=Family.TIMEOUTS,
        proves="A request that never arrives is sent again.",
        workload=steady(TWO, trades=8, over_s=1.0),
        faults=always(during(0.0, 2.0, DropRequest("*->dtms", op="enable", attempt=0))),
        faults_last_s=2.0,
        services=TWO,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="answer-lost-once",
        family=Family.TIMEOUTS,
        proves="Committed, but the answer was lost: the trade is there once, and reported so.",
        workload=steady(TWO, trades=8, over_s=1.0),
        faults=always(during(0.0, 2.0, DropAnswer("*->dtms", op="enable", attempt=0))),
        faults_last_s=2.0,
        services=TWO,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="answer-lost-always",
        family=Family.TIMEOUTS,
        proves="With every answer lost the outcome stays unknown, and is never called a failure.",
        workload=steady(TWO, trades=8, over_s=1.0),
        faults=always(during(0.0, 4.0, DropAnswer("*->dtms", op="any"))),
        faults_last_s=4.0,
        services=TWO,
        checkers=(*REGISTERED, *NOTICED),
    ),
    Scenario(
        name="trickled-answer",
        family=Family.TIMEOUTS,
        proves="An answer that trickles in byte by byte does not hold a caller past its bound.",
        workload=steady(("bot",), trades=4, over_s=0.5),
        faults=always(during(0.0, 2.5, Trickle("bot->dtms", op="enable", over_s=20.0))),
        faults_last_s=2.5,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="reset-under-load",
        family=Family.TIMEOUTS,
        proves="Connections that are reset in the middle of exchanges cost no trade.",
        workload=steady(TWO, trades=20, over_s=1.5),
        faults=always(
            during(0.4, 0.5, Reset("*->dtms")),
            during(0.9, 1.0, Reset("*->dtms")),
        ),
        faults_last_s=1.5,
        services=TWO,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="half-open",
        family=Family.TIMEOUTS,
        proves="A connection whose other end is gone without a word is noticed and replaced.",
        workload=steady(("bot",), trades=10, over_s=2.0),
        faults=always(during(0.6, 1.8, HalfOpen("bot->dtms"))),
        faults_last_s=2.0,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="pool-starvation",
        family=Family.TIMEOUTS,
        proves="More callers than connections: those that wait in vain are retried, not lost.",
        workload=steady(("bot",), trades=40, over_s=0.2),
        faults=always(during(0.0, 2.0, Latency("bot->dtms", latency_ms=400, jitter_ms=0))),
        faults_last_s=2.0,
        policy=Policy(timeout_s=0.9),
        bounds=Bounds(unprotected_s=6.0),
        checkers=REGISTERED,
        demands="helper",
    ),
)
