import pytest

from core.acceptance import (
    Absent,
    Accepted,
    Conflicting,
    Differs,
    Present,
    Refused,
    Retryable,
    Unclear,
    judge_enable,
    judge_health,
    judge_lookup,
)
from core.port import UNDECODABLE, Answer


def test_a_success_is_accepted(trade, answers) -> None:
    assert judge_enable(trade, answers.accepted()) == Accepted(False, "HEALTHY")


def test_an_earlier_registration_is_accepted_as_such(trade, answers) -> None:
    assert judge_enable(trade, answers.accepted(already=True)) == Accepted(True, "HEALTHY")


@pytest.mark.parametrize("success", [False, 1, "true", None, [], {}])
def test_success_must_be_the_boolean_true(trade, answers, success: object) -> None:
    answer = answers.accepted()
    answer.body["success"] = success
    assert judge_enable(trade, answer) == Retryable("success is not true")


@pytest.mark.parametrize("ticket", [1002, "1001", 1001.0, True, None])
def test_the_echoed_ticket_must_be_the_same_integer(trade, answers, ticket: object) -> None:
    judged = judge_enable(trade, answers.accepted(ticket=ticket))
    assert judged == Retryable("the answer echoes another ticket")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("symbol", "EURUSD"),
        ("direction", "SELL"),
        ("entry_price", 2351.0),
        ("volume", True),
        ("volume", "0.5"),
        ("stop_loss", None),
        ("stop_loss", 2341.0),
        ("take_profit", 2371.0),
    ],
)
def test_the_echoed_payload_must_be_the_same(trade, answers, field: str, value: object) -> None:
    assert isinstance(judge_enable(trade, answers.accepted(**{field: value})), Retryable)


@pytest.mark.parametrize("body", [UNDECODABLE, [], "yes", None, {"success": True}])
def test_a_body_that_says_nothing_is_no_success(trade, body: object) -> None:
    assert isinstance(judge_enable(trade, Answer(200, body)), Retryable)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_these_statuses_may_be_tried_again(trade, status: int) -> None:
    assert judge_enable(trade, Answer(status, {}, 7.0)) == Retryable(f"status {status}", 7.0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_other_statuses_are_definite(trade, status: int) -> None:
    assert isinstance(judge_enable(trade, Answer(status, {"message": "no"})), Refused)


def test_409_is_a_conflict_with_the_servers_words(trade) -> None:
    assert judge_enable(trade, Answer(409, {"message": "other data"})) == Conflicting("other data")


def test_a_lookup_finds_what_was_sent(trade, answers) -> None:
    assert judge_lookup(trade, answers.found(state="HEDGED")) == Present("HEDGED")


def test_404_is_absent(trade) -> None:
    assert judge_lookup(trade, Answer(404, {})) == Absent()


def test_a_lookup_of_other_data_differs(trade, answers) -> None:
    assert judge_lookup(trade, answers.found(volume=9.0)) == Differs("volume is 9.0 there")


@pytest.mark.parametrize(
    "answer",
    [Answer(503, {}), Answer(200, UNDECODABLE), Answer(200, {"trade_info": 3}), Answer(200, [])],
)
def test_a_lookup_that_says_nothing_is_unclear(trade, answer: Answer) -> None:
    assert isinstance(judge_lookup(trade, answer), Unclear)


def test_a_lookup_about_another_ticket_is_unclear(trade, answers) -> None:
    assert isinstance(judge_lookup(trade, answers.found(ticket=2)), Unclear)


def test_ready_is_said_with_a_boolean_and_a_200() -> None:
    assert judge_health(Answer(200, {"ready": True})).ready
    assert not judge_health(Answer(200, {"ready": "true"})).ready
    assert not judge_health(Answer(503, {"ready": True})).ready
    assert not judge_health(Answer(200, UNDECODABLE)).ready


def test_a_refused_readiness_carries_retry_after() -> None:
    assert judge_health(Answer(503, {}, 2.0)).retry_after_s == 2.0


@pytest.mark.parametrize("status", [204, 301, 307])
def test_a_status_the_api_never_sends_says_neither_yes_nor_no(trade, status: int) -> None:
    assert judge_enable(trade, Answer(status, {})) == Retryable(f"status {status}", None)
