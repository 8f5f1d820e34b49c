"""One drive: each duty of the client has a test that fails when the duty is removed."""

import asyncio
from dataclasses import replace

import pytest

from core.errors import NotSent, Unanswered
from core.events import Level
from core.outbox import Intent
from core.outcome import Closed, Conflict, Pending, Registered, Rejected
from core.port import UNDECODABLE, Answer
from core.registrar import Limits
from core.settings import Policy

LOST = Unanswered("the answer was lost")
REFUSED = NotSent("connection refused")
NOT_READY = Answer(503, {"ready": False})


async def test_a_success_is_registered_and_read_back(registrar, api, intent) -> None:
    assert await registrar().drive(intent) == Registered(1001, verified=True)
    assert [call for call, _ in api.sent] == ["health", "enable", "lookup"]


async def test_without_verification_nothing_is_read_back(registrar, api, intent) -> None:
    outcome = await registrar(Policy(verify=False)).drive(intent)
    assert outcome == Registered(1001, verified=False)
    assert api.count("lookup") == 0


async def test_an_acknowledgement_that_lies_is_not_believed(
    registrar, api, intent, answers, sink
) -> None:
    api.lookups = [Answer(404, {}), answers.found()]
    assert await registrar().drive(intent) == Registered(1001, verified=True)
    assert api.count("enable") == 2


async def test_a_read_back_of_other_data_is_asked_about_and_may_be_a_conflict(
    registrar, api, intent, answers
) -> None:
    api.enables = [answers.accepted(), Answer(409, {"message": "other data"})]
    api.lookups = [answers.found(volume=9.0)]
    assert await registrar().drive(intent) == Conflict(1001, "other data")


async def test_one_garbled_read_back_makes_no_conflict(registrar, api, intent, answers) -> None:
    api.enables = [answers.accepted(), answers.accepted(already=True)]
    api.lookups = [answers.found(entry_price=1.0), answers.found()]
    assert await registrar().drive(intent) == Registered(1001, already=True, verified=True)


@pytest.mark.parametrize("volume", [9.0, None])
async def test_a_server_that_keeps_contradicting_itself_leaves_it_pending_and_is_told_of(
    registrar, api, intent, answers, sink, volume
) -> None:
    api.lookups = [answers.found(volume=9.0) if volume else Answer(404, {})]
    assert isinstance(await registrar(Policy(breaker_threshold=99)).drive(intent), Pending)
    assert [alert.event for alert in sink.alerts] == ["api_contradicts_itself"]


async def test_a_read_back_that_fails_is_tried_again_without_sending(
    registrar, api, intent, answers
) -> None:
    api.lookups = [LOST, Answer(429, {}, 1.0), answers.found()]
    assert await registrar().drive(intent) == Registered(1001, verified=True)
    assert api.count("enable") == 1


@pytest.mark.parametrize(
    "failure",
    [LOST, REFUSED, Answer(500, {}), Answer(503, {}), Answer(408, {}), Answer(425, {}),
     Answer(429, {}), Answer(200, UNDECODABLE), Answer(200, {"success": False})],
)  # fmt: skip
async def test_what_may_be_tried_again_is(registrar, api, intent, answers, failure) -> None:
    api.enables = [failure, failure, answers.accepted()]
    assert isinstance(await registrar().drive(intent), Registered)
    assert api.count("enable") == 3
    assert api.correlation_ids == {"c-1"}


@pytest.mark.parametrize("status", [400, 401, 404, 413, 422])
async def test_a_refusal_is_definite_told_and_not_tried_again(
    registrar, api, intent, sink, status
) -> None:
    api.enables = [Answer(status, {"message": "no"})]
    assert isinstance(await registrar().drive(intent), Rejected)
    assert api.count("enable") == 1
    assert [alert.level for alert in sink.alerts] == [Level.ERROR]


async def test_a_conflict_is_definite_and_alerts(registrar, api, intent, sink) -> None:
    api.enables = [Answer(409, {"message": "other data"})]
    assert await registrar().drive(intent) == Conflict(1001, "other data")
    assert api.count("enable") == 1
    assert sink.alerts[0].event == "registration_conflict"


async def test_a_closed_registration_is_told_as_such(registrar, api, intent, answers) -> None:
    api.enables = [answers.accepted(already=True, state="CLOSED")]
    assert await registrar().drive(intent) == Closed(1001)


async def test_closed_between_answer_and_read_back(registrar, api, intent, answers) -> None:
    api.lookups = [answers.found(state="CLOSED")]
    assert await registrar().drive(intent) == Closed(1001)


async def test_waits_double_and_are_half_drawn(registrar, api, intent, clock) -> None:
    api.enables = [REFUSED]
    await registrar().drive(intent)
    assert clock.slept[:3] == [0.5, 1.0, 2.0]


async def test_retry_after_is_honoured(registrar, api, intent, answers, clock) -> None:
    api.enables = [Answer(429, {}, 7.0), Answer(503, {}, 3.0), answers.accepted()]
    assert isinstance(await registrar().drive(intent), Registered)
    assert clock.slept == [7.0, 3.0]


async def test_attempts_are_bounded_and_then_it_is_pending(registrar, api, intent) -> None:
    api.enables = [REFUSED]
    outcome = await registrar().drive(intent)
    assert isinstance(outcome, Pending)
    assert outcome.tried
    assert api.count("enable") == 4


async def test_a_caller_may_ask_for_fewer_attempts_and_another_time_out(
    registrar, api, intent
) -> None:
    api.enables = [REFUSED]
    await registrar().drive(intent, Limits(retries=1, timeout_s=0.25))
    assert api.timeouts == [0.25, 0.25]


async def test_the_deadline_bounds_the_drive(registrar, api, intent, clock) -> None:
    api.enables, api.lookups = [Answer(503, {}, 50.0)], [Answer(404, {})]
    outcome = await registrar(Policy(deadline_s=60.0)).drive(intent)
    assert "deadline" in outcome.reason
    assert clock.seconds <= 60.0


async def test_an_unknown_outcome_is_read_back(registrar, api, intent, answers) -> None:
    api.enables = [LOST]
    assert await registrar().drive(intent) == Registered(1001, already=True, verified=True)


async def test_an_unknown_outcome_that_stays_unknown_is_pending(registrar, api, intent) -> None:
    api.enables = [LOST]
    api.lookups = [LOST]
    assert isinstance(await registrar(Policy(breaker_threshold=99)).drive(intent), Pending)


@pytest.mark.parametrize("lookup", [Answer(404, {}), Answer(503, {})])
async def test_unknown_is_never_called_a_failure(registrar, api, intent, lookup) -> None:
    api.enables = [LOST]
    api.lookups = [lookup]
    assert isinstance(await registrar(Policy(breaker_threshold=99)).drive(intent), Pending)


async def test_an_unknown_outcome_that_reads_otherwise_is_no_conflict_yet(
    registrar, api, intent, answers
) -> None:
    api.enables = [LOST]
    api.lookups = [answers.found(volume=9.0)]
    outcome = await registrar().drive(intent)
    assert isinstance(outcome, Pending)
    assert outcome.reason == "read back otherwise: volume is 9.0 there"


async def test_an_unknown_outcome_may_turn_out_closed(registrar, api, intent, answers) -> None:
    api.enables = [LOST]
    api.lookups = [answers.found(state="CLOSED")]
    assert await registrar().drive(intent) == Closed(1001)


async def test_what_was_surely_not_sent_is_not_read_back(registrar, api, intent) -> None:
    api.enables = [REFUSED]
    await registrar(Policy(breaker_threshold=99)).drive(intent)
    assert api.count("lookup") == 0


async def test_the_budget_bounds_retries_over_a_minute(registrar, api, trade) -> None:
    api.enables = [REFUSED]
    made = registrar(Policy(breaker_threshold=999, base_s=0.001))
    for ticket in range(1, 6):
        outcome = await made.drive(Intent(replace(trade, ticket=ticket), "c"))
    # Five first sends, and three retries among them.
    assert api.count("enable") == 8
    assert "budget" in outcome.reason


async def test_nothing_is_sent_before_the_api_is_ready(registrar, api, intent) -> None:
    api.healths = [NOT_READY, NOT_READY, Answer(200, {"ready": True})]
    assert isinstance(await registrar().drive(intent), Registered)
    assert [call for call, _ in api.sent][:4] == ["health", "health", "health", "enable"]


async def test_waiting_for_readiness_uses_up_no_attempts_but_the_deadline(
    registrar, api, intent, clock
) -> None:
    api.healths = [NOT_READY]
    outcome = await registrar(Policy(breaker_threshold=999, deadline_s=20)).drive(intent)
    assert isinstance(outcome, Pending)
    assert not outcome.tried
    assert api.count("enable") == 0
    assert api.count("health") > 4
    assert clock.seconds <= 20


async def test_readiness_is_cached(registrar, api, intent, clock) -> None:
    made = registrar()
    await made.drive(intent)
    await made.drive(intent)
    assert api.count("health") == 1
    clock.seconds += 1.6
    await made.drive(intent)
    assert api.count("health") == 2


async def test_many_that_wait_ask_once(registrar, api, trade) -> None:
    made = registrar()
    drives = (made.drive(Intent(replace(trade, ticket=1001), "c")) for _ in range(20))
    await asyncio.gather(*drives)
    assert api.count("health") == 1


async def test_who_waited_through_a_refusal_takes_it(registrar, api, clock) -> None:
    api.healths = [NOT_READY]
    made = registrar()
    assert await asyncio.gather(*(made.is_ready() for _ in range(20))) == [False] * 20
    assert api.count("health") == 1


async def test_five_failures_open_the_breaker_and_then_nothing_is_sent(
    registrar, api, intent, clock
) -> None:
    api.healths = [REFUSED]
    made = registrar()
    outcome = await made.drive(intent)
    assert "breaker" in outcome.reason
    assert len(api.sent) == 5
    assert not made.may_send()
    assert 29 < made.retry_in_s() <= 30
    await made.drive(intent)
    assert not await made.is_ready()
    assert len(api.sent) == 5


async def test_after_the_cool_down_one_probe_closes_it(registrar, api, intent, clock) -> None:
    api.healths = [REFUSED]
    made = registrar()
    await made.drive(intent)
    clock.seconds += 30
    api.healths = [Answer(200, {"ready": True})]
    assert isinstance(await made.drive(intent), Registered)


async def test_a_breaker_that_opens_in_the_middle_ends_the_drive(
    registrar, api, intent, clock
) -> None:
    api.enables = [LOST]
    made = registrar(Policy(breaker_threshold=2, gate_cache_s=0))
    outcome = await made.drive(intent)
    assert isinstance(outcome, Pending)
    assert api.count("enable") <= 2
    assert api.count("lookup") == 0


async def test_a_breaker_taken_by_another_probe_keeps_this_one_waiting(
    registrar, api, intent
) -> None:
    made = registrar()
    made.gate.on_ready(0.0)
    for _ in range(5):
        made.breaker.on_failure(0.0)
    assert await made.drive(intent) == Pending(1001, "the breaker is open")


async def test_a_read_back_waits_for_the_only_probe(registrar, api, intent, clock) -> None:
    api.enables = [LOST]
    made = registrar(Policy(breaker_threshold=1, breaker_cooldown_s=0.1, retries=0))
    allow = made.breaker.allow
    made.breaker.allow = lambda now: api.count("enable") == 0 and allow(now)
    clock.sleep = None
    outcome = await made.drive(intent)
    assert isinstance(outcome, Pending)
    assert api.count("lookup") == 0


async def test_three_failures_alert_and_every_attempt_is_logged(
    registrar, api, intent, sink, events_of
) -> None:
    api.enables = [REFUSED]
    await registrar().drive(intent)
    assert [alert.event for alert in sink.alerts] == ["registrations_failing"]
    attempts = [event for event in events_of() if event["event"] == "attempt_failed"]
    assert [(e["attempt"], e["ticket"], e["correlation_id"]) for e in attempts] == [
        (n, 1001, "c-1") for n in range(4)
    ]


async def test_a_refusal_of_another_kind_shows_a_live_server(registrar, api, intent) -> None:
    api.enables = [Answer(429, {})]
    made = registrar(Policy(breaker_threshold=2))
    await made.drive(intent)
    assert made.may_send()


async def test_outcomes_are_counted(registrar, api, intent) -> None:
    made = registrar()
    await made.drive(intent)
    registry = made._metrics.registry
    outcomes = {"outcome": "REGISTERED"}
    assert registry.get_sample_value("dtms_client_outcomes_total", outcomes) == 1
    assert registry.get_sample_value("dtms_client_attempts_total") == 1
