"""Family `races`: several of them at once."""

from __future__ import annotations

from random import Random

from chaos.faults import Kill, ServerFault
from chaos.schedule import during
from scenarios.scenario import Bounds, Family, Scenario, always
from scenarios.suites.promises import CRASHED, REGISTERED
from scenarios.workload import (
    Blotter,
    Execute,
    Lane,
    Register,
    Via,
    closing,
    conflicting,
    same_trade,
    steady,
)

TWO = ("bot", "desktop")
FOUR = ("bot", "desktop", "main", "commands")


def threads_and_loops(random: Random) -> tuple[Lane, ...]:
    """The same client from plain code, from threads and from a running loop, all at once."""
    blotter = Blotter(random)
    ways: tuple[Via, ...] = ("auto", "auto-thread", "auto-loop", "helper", "register")
    lanes = []
    for n in range(30):
        position = blotter.position()
        steps = (Execute(position), Register(position, ways[n % len(ways)], blotter.spelling()))
        lanes.append(Lane("bot", 0.02 * n, steps))
    return tuple(lanes)


def same_service(random: Random) -> tuple[Lane, ...]:
    """One service registers each trade five times at once, in every way it can."""
    blotter = Blotter(random)
    ways: tuple[Via, ...] = ("register", "auto", "auto-thread", "helper", "register")
    lanes = []
    for n in range(4):
        position = blotter.position()
        lanes.append(Lane("broker", 0.2 * n, (Execute(position),)))
        lanes.extend(Lane("bot", 0.2 * n + 0.02, (Register(position, way),)) for way in ways)
    return tuple(lanes)


RACES = (
    Scenario(
        name="same-trade-everywhere",
        family=Family.RACES,
        proves="Four services register the same trades at once: one new, the others already.",
        workload=same_trade(FOUR, trades=5),
        faults_last_s=1.5,
        services=FOUR,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="same-trade-one-service",
        family=Family.RACES,
        proves="One service registers a trade five times at once: registered once, all told so.",
        workload=same_service,
        faults_last_s=1.0,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="conflicting-payloads",
        family=Family.RACES,
        proves="Services that disagree about a trade: one wins, the others are told of a conflict.",
        workload=conflicting(TWO, trades=5),
        faults_last_s=1.5,
        services=TWO,
        checkers=(
            "acknowledged_is_kept",
            "registered_at_most_once",
            "one_new_answer_per_ticket",
            "answers_have_an_order",
            "failure_is_honest",
            "conflict_is_reported",
            "caller_is_never_blocked",
            "retry_discipline",
            "failures_are_logged_and_alerted",
            "nothing_leaks",
        ),
        demands="helper",
    ),
    Scenario(
        name="register-while-closing",
        family=Family.RACES,
        proves="Registering races with closing: every trade ends in one state, none twice.",
        workload=closing(TWO, trades=8),
        faults_last_s=1.5,
        services=TWO,
        checkers=(
            "acknowledged_is_kept",
            "registered_at_most_once",
            "one_new_answer_per_ticket",
            "answers_have_an_order",
            "failure_is_honest",
            "caller_is_never_blocked",
            "retry_discipline",
            "nothing_leaks",
        ),
        demands="helper",
    ),
    Scenario(
        name="register-while-recovering",
        family=Family.RACES,
        proves="Registrations that meet a server in the middle of its recovery are not lost.",
        workload=steady(TWO, trades=30, over_s=3.0),
        faults=always(
            during(0.9, 1.1, ServerFault("dtms", {"fault": "init-slow", "delay_s": 1.0})),
            during(0.8, 1.2, Kill("dtms")),
        ),
        faults_last_s=3.0,
        services=TWO,
        needs=frozenset({"broker"}),
        checkers=(*REGISTERED, "health_tells_the_truth"),
    ),
    Scenario(
        name="threads-and-loops",
        family=Family.RACES,
        proves="Plain code, threads and running loops share one client without blocking it.",
        workload=threads_and_loops,
        faults_last_s=1.0,
        checkers=REGISTERED,
        reference_only="calls the reference client in ways that only it offers",
    ),
    Scenario(
        name="hundred-at-once",
        family=Family.RACES,
        proves="A hundred registrations at the same moment all succeed.",
        workload=steady(TWO, trades=100, over_s=0.01),
        faults_last_s=0.5,
        services=TWO,
        bounds=Bounds(unprotected_s=6.0),
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="same-trade-while-killed",
        family=Family.RACES,
        proves="Services race for the same trades while the server is killed and comes back.",
        workload=same_trade(FOUR, trades=6, spread_s=0.2),
        faults=always(during(0.7, 1.6, Kill("dtms"))),
        faults_last_s=2.0,
        services=FOUR,
        checkers=CRASHED,
    ),
)
