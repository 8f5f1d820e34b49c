"""Family `startup`: things start in every order, slowly, or twice."""

from __future__ import annotations

from functools import partial
from itertools import permutations
from random import Random

from chaos.faults import BrokerFault, Kill, SecondInstance
from chaos.schedule import at, during
from scenarios.scenario import Family, Scenario, ServerOptions, StartUp, always
from scenarios.suites.promises import REGISTERED
from scenarios.workload import steady

TWO = ("bot", "desktop")
GAP_S = 0.3


def unordered(order: tuple[str, ...], _random: Random) -> StartUp:
    """This order, GAP_S apart, nobody waiting for anybody."""
    return StartUp(order=order, gap_s=GAP_S, ready_first=False)


def in_order(order: tuple[str, ...]) -> Scenario:
    """Trades are executed and registered while the others are still starting."""
    return Scenario(
        name=f"order-{'-'.join(order)}",
        family=Family.STARTUP,
        proves=f"Started as {', '.join(order)}: every trade is registered, none twice.",
        workload=steady(("bot",), trades=4, over_s=0.8),
        faults_last_s=1.4,
        start_up=partial(unordered, order),
        needs=frozenset({"broker", "main-api"}),
        checkers=(*REGISTERED, "managed_by_exactly_one", "nothing_sent_before_ready"),
    )


STARTUP = (
    *(in_order(order) for order in permutations(("broker", "main-api", "dtms", "services"))),
    Scenario(
        name="slow-initialisation",
        family=Family.STARTUP,
        proves="A port that is open long before the server is ready gets no registration.",
        workload=steady(TWO, trades=8, over_s=1.0),
        faults_last_s=1.5,
        start_up=partial(unordered, ("dtms", "services")),
        server=ServerOptions(lab_faults=({"fault": "init-slow", "delay_s": 1.5},)),
        services=TWO,
        checkers=(*REGISTERED, "nothing_sent_before_ready", "health_tells_the_truth"),
    ),
    Scenario(
        name="initialisation-fails-first",
        family=Family.STARTUP,
        proves="Initialisation that fails twice and then succeeds ends ready, and no earlier.",
        workload=steady(("bot",), trades=6, over_s=1.0),
        faults_last_s=1.5,
        start_up=partial(unordered, ("dtms", "services")),
        server=ServerOptions(lab_faults=({"fault": "init-fails", "times": 2},)),
        checkers=(*REGISTERED, "nothing_sent_before_ready", "health_tells_the_truth"),
    ),
    Scenario(
        name="slow-broker-at-start",
        family=Family.STARTUP,
        proves="A broker that answers slowly delays readiness, and nothing else.",
        workload=steady(("bot",), trades=6, over_s=1.0),
        faults=always(during(0.0, 2.0, BrokerFault("slow", delay_s=0.5))),
        faults_last_s=2.0,
        start_up=partial(unordered, ("broker", "dtms", "services")),
        needs=frozenset({"broker"}),
        checkers=(*REGISTERED, "nothing_sent_before_ready"),
    ),
    Scenario(
        name="second-instance",
        family=Family.STARTUP,
        proves="A second server on the same port and store ends without touching either.",
        workload=steady(TWO, trades=16, over_s=2.0),
        faults=always(at(0.5, SecondInstance("dtms"))),
        faults_last_s=2.2,
        services=TWO,
        checkers=(*REGISTERED, "second_instance_exits"),
    ),
    Scenario(
        name="second-instance-then-restart",
        family=Family.STARTUP,
        proves="A second server leaves the store alone: after a restart the first has everything.",
        workload=steady(TWO, trades=16, over_s=2.0),
        faults=always(at(0.7, SecondInstance("dtms")), during(1.6, 1.9, Kill("dtms"))),
        faults_last_s=2.2,
        services=TWO,
        checkers=(*REGISTERED, "second_instance_exits"),
    ),
)
