"""What a drive tells of itself, word for word, and where its decisions turn."""

import asyncio
from dataclasses import replace

import pytest

from core.acceptance import Absent, Differs, Present, Unclear
from core.alerts import Alert
from core.errors import NotSent, Unanswered
from core.events import Level
from core.outbox import Intent
from core.outcome import Pending, Registered, Rejected
from core.port import UNDECODABLE, Answer
from core.registrar import Limits
from core.settings import Policy

LOST = Unanswered("the answer was lost")
REFUSED = NotSent("connection refused")
NOT_READY = Answer(503, {"ready": False})
READY = Answer(200, {"ready": True})
PATIENT = Policy(breaker_threshold=99)


def opened(made) -> None:
    for _ in range(5):
        made.breaker.on_failure(made._clock.monotonic())


def failures(events) -> list[str]:
    return [event["reason"] for event in events if event["event"] == "attempt_failed"]


def gauge(made, name: str) -> float:
    return made._metrics.registry.get_sample_value(name)


async def test_one_line_tells_all_of_a_drive(registrar, api, intent, answers, clock, events_of):
    clock.seconds = 1000.0
    api.enables = [REFUSED, answers.accepted()]
    await registrar(Policy(base_s=2 / 3)).drive(intent)
    assert events_of()[-1] == {
        "time": "2026-01-01T00:16:40.333333+00:00",
        "level": "INFO",
        "event": "registration",
        "service": "bot",
        "ticket": 1001,
        "outcome": "REGISTERED",
        "attempt": 1,
        "correlation_id": "c-1",
        "reason": "",
        "seconds": 0.333333,
    }


async def test_how_long_a_drive_took_is_measured(registrar, api, intent, answers, clock) -> None:
    clock.seconds = 1000.0
    api.enables = [REFUSED, answers.accepted()]
    made = registrar()
    await made.drive(intent)
    assert gauge(made, "dtms_client_drive_seconds_sum") == 0.5


async def test_a_refusal_is_told_in_the_servers_words(registrar, api, intent, sink, events_of):
    api.enables = [Answer(422, {"message": "no such symbol"})]
    why = "status 422: no such symbol"
    assert await registrar().drive(intent) == Rejected(1001, why)
    assert sink.alerts == [Alert(Level.ERROR, "registration_rejected", 1001, why)]
    assert (events_of()[-1]["level"], events_of()[-1]["reason"]) == ("ERROR", why)


async def test_what_is_pending_says_why_and_for_how_long(registrar, api, intent) -> None:
    api.enables = [Answer(429, {}, 7.0)]
    outcome = await registrar().drive(intent, Limits(retries=0))
    assert outcome == Pending(1001, "1 attempts failed: status 429", True, 7.0)


@pytest.mark.parametrize(
    ("enable", "why"),
    [
        (REFUSED, "NotSent: connection refused"),
        (LOST, "Unanswered: the answer was lost"),
        (Answer(503, {}), "status 503"),
        (Answer(200, UNDECODABLE), "the answer is not a JSON object"),
    ],
)
async def test_every_failed_attempt_says_why(
    registrar, api, intent, events_of, enable, why
) -> None:
    api.enables, api.lookups = [enable], [Answer(404, {})]
    outcome = await registrar(PATIENT).drive(intent, Limits(retries=0))
    assert outcome.reason == f"1 attempts failed: {why}"
    assert failures(events_of()) == [why]


@pytest.mark.parametrize(
    ("lookup", "why"),
    [
        (LOST, "Unanswered: the answer was lost"),
        (Answer(503, {}), "status 503"),
        (Answer(200, {}), "the answer holds no trade_info"),
    ],
)
async def test_a_read_back_that_tells_nothing_says_why(
    registrar, api, intent, events_of, lookup, why
) -> None:
    api.lookups = [lookup]
    outcome = await registrar(PATIENT).drive(intent, Limits(retries=0))
    assert outcome == Pending(1001, f"1 attempts failed: not read back: {why}", True)
    assert failures(events_of()) == [why, why]


@pytest.mark.parametrize("volume", [9.0, None])
async def test_an_api_that_contradicts_itself_is_told_of_with_its_contradiction(
    registrar, api, intent, answers, sink, events_of, volume
) -> None:
    api.lookups = [answers.found(volume=volume) if volume else Answer(404, {})]
    outcome = await registrar(PATIENT).drive(intent, Limits(retries=0))
    otherwise = "read back otherwise: volume is 9.0 there"
    said = f"acknowledged, and {otherwise if volume else 'not there when read back'}"
    assert outcome.reason == (otherwise if volume else f"1 attempts failed: {said}")
    assert failures(events_of())[0] == said
    assert sink.alerts == [Alert(Level.ERROR, "api_contradicts_itself", 1001, outcome.reason)]


async def test_who_is_not_ready_is_told_with_what_it_said(
    registrar, api, intent, events_of
) -> None:
    api.healths = [NOT_READY]
    outcome = await registrar(Policy(deadline_s=0.4)).drive(intent)
    why = "the next attempt would pass the deadline of 0.4 s: status 503, not ready"
    assert outcome == Pending(1001, why)
    assert failures(events_of()) == ["the DTMS API is not ready: status 503, not ready"]


async def test_who_says_nothing_of_its_health_is_not_ready(registrar, api, intent) -> None:
    api.healths = [REFUSED]
    made = registrar()
    assert await made.is_ready() is False
    assert await made.find(intent) == Unclear("NotSent: connection refused")


async def test_who_waits_behind_a_refusal_is_told_its_reason(registrar, api, trade) -> None:
    api.healths = [NOT_READY]
    made = registrar(Policy(deadline_s=0.4))
    drives = (made.drive(Intent(replace(trade, ticket=n), "c")) for n in (1, 2, 3))
    outcomes = await asyncio.gather(*drives)
    assert {outcome.reason.rpartition(": ")[2] for outcome in outcomes} == {"status 503, not ready"}


async def test_the_waits_for_readiness_double(registrar, api, intent, clock) -> None:
    api.healths = [NOT_READY, NOT_READY, NOT_READY, READY]
    assert isinstance(await registrar().drive(intent), Registered)
    assert clock.slept == [0.5, 1.0, 2.0]


async def test_the_deadline_counts_from_the_drives_own_beginning(
    registrar, api, intent, answers, clock
) -> None:
    clock.seconds = 1000.0
    api.enables = [REFUSED, answers.accepted()]
    assert isinstance(await registrar().drive(intent), Registered)


async def test_what_a_caller_does_not_ask_for_is_the_policys(registrar, api, intent) -> None:
    api.enables = [REFUSED]
    made = registrar(Policy(breaker_threshold=99, timeout_s=4.0, budget_min=99))
    await made.drive(intent, Limits(retries=1))
    assert api.timeouts == [4.0, 4.0]
    await made.drive(intent, Limits(timeout_s=0.25))
    assert api.timeouts[2:] == [0.25] * 4


async def test_a_look_up_is_about_the_trade_in_the_time_of_the_drive(
    registrar, api, intent
) -> None:
    await registrar(Policy(timeout_s=4.0)).drive(intent, Limits(timeout_s=0.25))
    assert api.looked_up == [(1001, 0.25, "c-1")]
    assert api.health_timeouts == [4.0]


async def test_the_breaker_and_the_budget_are_the_policys(registrar, api, intent) -> None:
    api.enables = [REFUSED]
    made = registrar(Policy(breaker_threshold=2, breaker_cooldown_s=7.0))
    await made.drive(intent)
    assert made.retry_in_s() == 6.0  # it waited for a second before it knew
    made = registrar(Policy(breaker_threshold=99, budget_min=1))
    outcome = await made.drive(intent)
    assert outcome.reason == "the retry budget is spent: NotSent: connection refused"
    assert gauge(made, "dtms_client_retries_denied_total") == 1
    assert api.count("enable") == 4


async def test_a_first_send_earns_a_retry(registrar, api, intent, answers) -> None:
    api.enables = [REFUSED, answers.accepted()]
    made = registrar(Policy(budget_ratio=1.0, budget_min=0))
    assert isinstance(await made.drive(intent), Registered)


@pytest.mark.parametrize(
    ("answered", "read_back"),
    [
        ([Answer(429, {})], 0),
        ([Answer(500, {})], 1),
        ([Answer(408, {})], 1),
        ([LOST, Answer(429, {})], 1),
        ([Answer(500, {}), Answer(429, {})], 1),
    ],
)
async def test_only_what_may_have_happened_is_read_back(
    registrar, api, intent, answered, read_back
) -> None:
    api.enables, api.lookups = answered, [Answer(404, {})]
    await registrar(PATIENT).drive(intent, Limits(retries=1))
    assert api.count("lookup") == read_back


async def test_without_verification_an_earlier_registration_is_told_as_such(
    registrar, api, intent, answers
) -> None:
    api.enables = [answers.accepted(already=True)]
    assert await registrar(Policy(verify=False)).drive(intent) == Registered(1001, already=True)


async def test_what_was_acknowledged_is_read_back_once_more_in_the_end(
    registrar, api, intent, answers
) -> None:
    api.lookups = [LOST, LOST, LOST, LOST, answers.found()]
    assert await registrar(PATIENT).drive(intent) == Registered(1001, True, True)
    assert (api.count("enable"), api.count("lookup")) == (1, 5)


async def test_a_read_back_waits_as_long_as_it_is_asked_to(
    registrar, api, intent, answers, clock
) -> None:
    api.lookups = [Answer(429, {}, 7.0), answers.found()]
    assert isinstance(await registrar().drive(intent), Registered)
    assert clock.slept == [7.0]


async def test_a_read_back_may_be_the_probe_that_closes_the_breaker(registrar, api, intent) -> None:
    api.enables = [LOST]
    made = registrar(Policy(breaker_threshold=1, breaker_cooldown_s=0.0, retries=0))
    assert await made.drive(intent) == Registered(1001, True, True)
    assert gauge(made, "dtms_client_breaker_open") == 0


@pytest.mark.parametrize("status", [500, 503])
async def test_a_server_in_trouble_opens_the_breaker(registrar, api, intent, status) -> None:
    api.enables = [Answer(status, {})]
    made = registrar(Policy(breaker_threshold=2))
    await made.drive(intent)
    assert not made.may_send()
    assert gauge(made, "dtms_client_breaker_open") == 1


@pytest.mark.parametrize(
    ("between", "may_send"), [(Answer(429, {}), True), (Answer(200, UNDECODABLE), False)]
)
async def test_a_busy_server_is_at_work_and_one_that_babbles_may_not_be(
    registrar, api, intent, between, may_send
) -> None:
    api.enables, api.lookups = [REFUSED, between, REFUSED], [Answer(404, {})]
    made = registrar(Policy(breaker_threshold=2))
    await made.drive(intent, Limits(retries=2))
    assert made.may_send() is may_send


async def test_a_busy_look_up_shows_a_server_at_work(registrar, api, intent) -> None:
    api.lookups = [Answer(429, {})]
    made = registrar(Policy(breaker_threshold=2))
    await made.drive(intent)
    assert made.may_send()


@pytest.mark.parametrize("late", [None, Answer(429, {})])
async def test_an_answer_to_what_was_sent_before_it_opened_leaves_the_breaker_open(
    registrar, api, intent, answers, late
) -> None:
    made = registrar()

    async def open_it() -> None:
        opened(made)

    api.before_enable, api.enables = open_it, [late or answers.accepted()]
    await made.drive(intent, Limits(retries=0))
    assert not made.may_send()
    assert gauge(made, "dtms_client_breaker_open") == 1


async def test_good_health_does_not_close_a_breaker_that_opened_meanwhile(
    registrar, api, intent
) -> None:
    made = registrar()
    healthy = api.health

    async def health(*, timeout_s):
        opened(made)
        return await healthy(timeout_s=timeout_s)

    api.health = health
    assert await made.drive(intent) == Pending(1001, "the breaker is open")
    assert not made.may_send()


async def test_while_the_breaker_is_open_nobody_is_asked_and_everybody_told(
    registrar, api, intent, clock
) -> None:
    made = registrar()
    opened(made)
    clock.seconds += 1.0
    assert await made.is_ready() is False
    assert await made.find(intent) == Unclear("the breaker is open")
    made.gate.on_ready(clock.seconds)
    assert await made.find(intent) == Unclear("the breaker is open")
    assert api.sent == []


async def test_what_is_found_is_judged_by_the_trade(registrar, api, intent, answers) -> None:
    api.lookups = [answers.found(), Answer(404, {}), answers.found(volume=9.0), LOST]
    made = registrar(Policy(timeout_s=4.0))
    found = [await made.find(intent) for _ in range(4)]
    assert found == [
        Present("HEALTHY"),
        Absent(),
        Differs("volume is 9.0 there"),
        Unclear("Unanswered: the answer was lost"),
    ]
    assert api.looked_up == [(1001, 4.0, "c-1")] * 4


async def test_what_is_found_shows_a_server_at_work_and_what_is_not_does_not(
    registrar, api, intent, answers
) -> None:
    api.lookups = [LOST, answers.found(), LOST, LOST]
    made = registrar(Policy(breaker_threshold=2))
    for _ in range(3):
        await made.find(intent)
    assert made.may_send()
    await made.find(intent)
    assert not made.may_send()


async def test_a_look_up_may_be_the_probe(registrar, api, intent, clock) -> None:
    made = registrar()
    opened(made)
    clock.seconds += 30.0
    made.gate.on_ready(clock.seconds)
    assert await made.find(intent) == Present("HEALTHY")
    assert made.may_send()
