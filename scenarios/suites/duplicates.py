"""Family `duplicates`: the same registration is sent, or delivered, more than once."""

from __future__ import annotations

from chaos.faults import DropAnswer, DuplicateRequest, Kill
from chaos.schedule import during
from scenarios.scenario import Family, Scenario, always
from scenarios.suites.promises import CRASHED, REGISTERED
from scenarios.workload import again, same_trade

TWO = ("bot", "desktop")

DUPLICATES = (
    Scenario(
        name="delivered-twice",
        family=Family.DUPLICATES,
        proves="Requests that the network delivers twice register once.",
        workload=again(TWO, trades=8, after_s=0.8),
        faults=always(during(0.0, 2.0, DuplicateRequest("*->dtms", op="enable"))),
        faults_last_s=2.0,
        services=TWO,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="registered-again",
        family=Family.DUPLICATES,
        proves="A service that registers a trade once more is told that it is registered.",
        workload=again(TWO, trades=8, after_s=0.6),
        faults_last_s=1.8,
        services=TWO,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="resent-after-restart",
        family=Family.DUPLICATES,
        proves="A service killed with requests in flight sends them again: registered once.",
        workload=again(("bot",), trades=8, after_s=2.0),
        faults=always(
            during(0.0, 1.5, DropAnswer("bot->dtms", op="enable", attempt=0)),
            during(0.9, 1.3, Kill("bot")),
        ),
        faults_last_s=3.0,
        needs=frozenset({"broker"}),
        checkers=CRASHED,
    ),
    Scenario(
        name="again-after-unknown",
        family=Family.DUPLICATES,
        proves="Answer lost, server killed, registered again: there once, and reported so.",
        workload=again(TWO, trades=6, after_s=1.5),
        faults=always(
            during(0.0, 1.2, DropAnswer("*->dtms", op="any")),
            during(1.0, 1.6, Kill("dtms")),
        ),
        faults_last_s=2.6,
        services=TWO,
        checkers=REGISTERED,
    ),
    Scenario(
        name="duplicates-everywhere",
        family=Family.DUPLICATES,
        proves="Every service sends, every request is doubled, half of the answers are lost.",
        workload=same_trade(TWO, trades=6, spread_s=0.1),
        faults=always(
            during(0.0, 2.0, DuplicateRequest("*->dtms", op="enable")),
            during(0.0, 2.0, DropAnswer("*->dtms", op="enable", probability=0.5)),
        ),
        faults_last_s=2.2,
        services=TWO,
        checkers=REGISTERED,
    ),
)
