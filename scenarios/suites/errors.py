"""Family `errors`: the API answers, and the answer is no success."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from chaos.faults import AnswerFor, FailFirst, Garbage, Truncate, WrongEcho
from chaos.schedule import during
from scenarios.bad_input import BAD_BODIES
from scenarios.scenario import Bounds, Family, Scenario, ServerOptions, always
from scenarios.suites.promises import NOTICED, REGISTERED
from scenarios.workload import BadInput, Blotter, Execute, Lane, Register, steady

TWO = ("bot", "desktop")
NO_SUCCESS = '{"success": false}'
ANOTHERS_SUCCESS = (
    '{"success": true, "already_registered": false, "state": "HEALTHY", "summary": "", '
    '"trade_info": {"ticket": 7, "symbol": "XAUUSD", "direction": "BUY", "entry_price": 2350.0, '
    '"volume": 0.1, "stop_loss": null, "take_profit": null, "state": "HEALTHY"}}'
)


def bad_then_good(random: Random) -> tuple[Lane, ...]:
    """Every broken body there is, and among them good registrations."""
    blotter = Blotter(random)
    cases = list(BAD_BODIES)
    random.shuffle(cases)
    lanes = [Lane("auditor", 0.0, tuple(BadInput(case) for case in cases))]
    for n in range(5):
        position = blotter.position()
        lanes.append(Lane("bot", 0.1 * n, (Execute(position), Register(position))))
    return tuple(lanes)


def zero_stops(random: Random) -> tuple[Lane, ...]:
    """Every other trade was executed with a stop of zero."""
    blotter = Blotter(random)
    lanes = []
    for n in range(6):
        position = blotter.position()
        if n % 2:
            position = replace(position, stop_loss=0.0)
        steps = (Execute(position), Register(position, "register", blotter.spelling()))
        lanes.append(Lane("bot", 0.1 * n, steps))
    return tuple(lanes)


ERRORS = (
    Scenario(
        name="errors-then-fine",
        family=Family.ERRORS,
        proves="Two 500s for each trade, then a good answer: registered all the same.",
        workload=steady(TWO, trades=6, over_s=2.0),
        faults=always(during(0.0, 3.0, FailFirst("*->dtms", first=2, status=500))),
        faults_last_s=3.0,
        services=TWO,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="throttled",
        family=Family.ERRORS,
        proves="429 with Retry-After is waited for, and then succeeds.",
        workload=steady(TWO, trades=6, over_s=1.5),
        faults=always(during(0.0, 3.0, FailFirst("*->dtms", first=1, status=429, retry_after_s=1))),
        faults_last_s=3.0,
        services=TWO,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="rate-limited",
        family=Family.ERRORS,
        proves="Twice the allowed rate from one client: all are registered, at the allowed rate.",
        workload=steady(("bot",), trades=24, over_s=1.0),
        faults_last_s=1.0,
        server=ServerOptions(rate_limit=True),
        bounds=Bounds(unprotected_s=10.0, blocked_s=15.0),
        checkers=REGISTERED,
    ),
    Scenario(
        name="not-ready",
        family=Family.ERRORS,
        proves="503 with Retry-After holds the client back; nothing is given up.",
        workload=steady(TWO, trades=6, over_s=1.0),
        faults=always(
            during(0.0, 2.0, AnswerFor("*->dtms", op="any", status=503, retry_after_s=1))
        ),
        faults_last_s=2.0,
        services=TWO,
        checkers=(*REGISTERED, *NOTICED),
    ),
    Scenario(
        name="garbage",
        family=Family.ERRORS,
        proves="An answer that is not JSON is no success; the trade is there once.",
        workload=steady(TWO, trades=6, over_s=1.0),
        faults=always(during(0.0, 2.0, Garbage("*->dtms", op="enable", attempt=0))),
        faults_last_s=2.0,
        services=TWO,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="truncated",
        family=Family.ERRORS,
        proves="An answer that is cut off is no success; the trade is there once.",
        workload=steady(TWO, trades=6, over_s=1.0),
        faults=always(during(0.0, 2.0, Truncate("*->dtms", op="enable", attempt=0))),
        faults_last_s=2.0,
        services=TWO,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="success-false",
        family=Family.ERRORS,
        proves="200 with success false is no success.",
        workload=steady(("bot",), trades=4, over_s=1.0),
        faults=always(
            during(0.0, 2.0, FailFirst("bot->dtms", first=2, status=200, body=NO_SUCCESS))
        ),
        faults_last_s=2.0,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="success-of-a-kind",
        family=Family.ERRORS,
        proves='200 with success "true", 1 or nothing at all is no success.',
        workload=steady(("bot",), trades=4, over_s=1.0),
        faults=always(
            during(
                0.0, 0.7, FailFirst("bot->dtms", first=2, status=200, body='{"success": "true"}')
            ),
            during(0.7, 1.4, FailFirst("bot->dtms", first=2, status=200, body='{"success": 1}')),
            during(1.4, 2.0, FailFirst("bot->dtms", first=1, status=200, body="{}")),
        ),
        faults_last_s=2.0,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="wrong-echo",
        family=Family.ERRORS,
        proves="A success that echoes another ticket is no success.",
        workload=steady(TWO, trades=6, over_s=1.0),
        faults=always(during(0.0, 2.0, WrongEcho("*->dtms", field="ticket", attempt=0))),
        faults_last_s=2.0,
        services=TWO,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="somebody-elses-answer",
        family=Family.ERRORS,
        proves="A success that is about another trade, from nobody knows where, is no success.",
        workload=steady(TWO, trades=6, over_s=1.0),
        faults=always(
            during(0.0, 2.0, FailFirst("*->dtms", first=1, status=200, body=ANOTHERS_SUCCESS))
        ),
        faults_last_s=2.0,
        services=TWO,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="zero-is-a-value",
        family=Family.ERRORS,
        proves="A stop of zero is refused, and not taken for none: nothing is registered without.",
        workload=zero_stops,
        faults_last_s=1.0,
        checkers=REGISTERED,
        demands="helper",
    ),
    Scenario(
        name="refused",
        family=Family.ERRORS,
        proves="A 422 is definite: not tried again, and reported as refused.",
        workload=steady(("bot",), trades=4, over_s=1.0),
        faults=always(
            during(
                0.0,
                2.0,
                AnswerFor(
                    "bot->dtms",
                    op="enable",
                    status=422,
                    body='{"error": "invalid", "message": "no", "details": {}}',
                ),
            )
        ),
        faults_last_s=2.0,
        checkers=(
            "failure_is_honest",
            "caller_is_never_blocked",
            "retry_discipline",
            "failures_are_logged_and_alerted",
            "nothing_leaks",
        ),
        demands="helper",
    ),
    Scenario(
        name="bad-input",
        family=Family.ERRORS,
        proves="Broken bodies of every kind are refused, change nothing, and harm nobody else.",
        workload=bad_then_good,
        faults_last_s=1.0,
        checkers=(*REGISTERED, "bad_input_changes_nothing"),
        demands="helper",
    ),
)
