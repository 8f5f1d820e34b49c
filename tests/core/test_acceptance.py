from dataclasses import replace

import pytest

from core.acceptance import (
    READY,
    Absent,
    Accepted,
    Conflicting,
    Differs,
    Present,
    Readiness,
    Refused,
    Retryable,
    Unclear,
    judge_enable,
    judge_health,
    judge_lookup,
    judge_state,
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
    ("field", "value", "wrong"),
    [
        ("symbol", "EURUSD", "symbol"),
        ("direction", "SELL", "direction"),
        ("entry_price", 2351.0, "entry"),
        ("entry_price", 2351, "entry"),
        ("volume", True, "volume"),
        ("volume", "0.5", "volume"),
        ("stop_loss", None, "stop_loss"),
        ("stop_loss", 2341.0, "stop_loss"),
        ("take_profit", 2371.0, "take_profit"),
    ],
)
def test_the_echoed_payload_must_be_the_same(
    trade, answers, field: str, value: object, wrong: str
) -> None:
    judged = judge_enable(trade, answers.accepted(**{field: value}))
    assert judged == Retryable(f"the answer echoes another {wrong}")


def test_true_is_not_the_number_one(trade, answers) -> None:
    whole = replace(trade, volume=1.0)
    assert judge_lookup(whole, answers.found(volume=1)) == Present("HEALTHY")
    assert judge_lookup(whole, answers.found(volume=True)) == Differs("volume is True there")


def test_a_stop_that_was_never_sent_must_not_be_there(trade, answers) -> None:
    bare = replace(trade, stop_loss=None, take_profit=None)
    found = judge_lookup(bare, answers.found(stop_loss=None, take_profit=None))
    assert found == Present("HEALTHY")
    for stop_loss in (2340.0, 2340, "", False):
        found = judge_lookup(bare, answers.found(stop_loss=stop_loss, take_profit=None))
        assert found == Differs(f"stop_loss is {stop_loss!r} there")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (UNDECODABLE, "the answer is not a JSON object"),
        ([], "the answer is not a JSON object"),
        ("yes", "the answer is not a JSON object"),
        (None, "the answer is not a JSON object"),
        ({"success": True}, "the answer does not say what was registered"),
        ({"success": True, "trade_info": []}, "the answer does not say what was registered"),
    ],
)
def test_a_body_that_says_nothing_is_no_success(trade, body: object, why: str) -> None:
    assert judge_enable(trade, Answer(200, body)) == Retryable(why)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_these_statuses_may_be_tried_again(trade, status: int) -> None:
    assert judge_enable(trade, Answer(status, {}, 7.0)) == Retryable(f"status {status}", 7.0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_other_statuses_are_definite(trade, status: int) -> None:
    judged = judge_enable(trade, Answer(status, {"message": "no"}))
    assert judged == Refused(f"status {status}: no")


@pytest.mark.parametrize("body", [{}, {"message": 7}, [], UNDECODABLE])
def test_a_refusal_without_words_says_its_status(trade, body: object) -> None:
    assert judge_enable(trade, Answer(422, body)) == Refused("status 422")


def test_409_is_a_conflict_with_the_servers_words(trade) -> None:
    assert judge_enable(trade, Answer(409, {"message": "other data"})) == Conflicting("other data")
    wordless = Conflicting("another payload is registered under this ticket")
    assert judge_enable(trade, Answer(409, {})) == wordless


def test_a_lookup_finds_what_was_sent(trade, answers) -> None:
    assert judge_lookup(trade, answers.found(state="HEDGED")) == Present("HEDGED")


def test_404_is_absent(trade) -> None:
    assert judge_lookup(trade, Answer(404, {})) == Absent()


def test_a_lookup_of_other_data_differs(trade, answers) -> None:
    assert judge_lookup(trade, answers.found(volume=9.0)) == Differs("volume is 9.0 there")
    assert judge_lookup(trade, answers.found(entry_price=9.0)) == Differs("entry is 9.0 there")


@pytest.mark.parametrize(
    ("answer", "unclear"),
    [
        (Answer(503, {}, 7.0), Unclear("status 503", 7.0)),
        (Answer(200, UNDECODABLE), Unclear("status 200")),
        (Answer(200, []), Unclear("status 200")),
        (Answer(200, {"trade_info": 3}), Unclear("the answer holds no trade_info")),
    ],
)
def test_a_lookup_that_says_nothing_is_unclear(trade, answer: Answer, unclear: Unclear) -> None:
    assert judge_lookup(trade, answer) == unclear


def test_a_lookup_about_another_ticket_is_unclear(trade, answers) -> None:
    unclear = Unclear("the answer is about another ticket")
    assert judge_lookup(trade, answers.found(ticket=2)) == unclear


def test_the_state_is_the_answers_and_else_that_of_what_is_stored(trade, answers) -> None:
    found = answers.found(state="HEDGED")
    found.body["state"] = "CLOSED"
    assert judge_lookup(trade, found) == Present("CLOSED")
    del found.body["state"]
    assert judge_lookup(trade, found) == Present("HEDGED")
    found.body["state"] = 3
    assert judge_lookup(trade, found) == Present("")


def test_the_state_of_a_ticket_is_told_whatever_its_data(trade, answers) -> None:
    assert judge_state(1001, answers.found(volume=9.0, state="HEDGED")) == "HEDGED"
    stored_only = Answer(200, {"trade_info": {"ticket": 1001, "state": "HEALTHY"}})
    assert judge_state(1001, stored_only) == "HEALTHY"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, {"state": "HEDGED", "trade_info": {"ticket": 1001}}),
        Answer(200, UNDECODABLE),
        Answer(200, []),
        Answer(200, {"state": "HEDGED"}),
        Answer(200, {"state": "HEDGED", "trade_info": [1001]}),
        Answer(200, {"state": "HEDGED", "trade_info": {}}),
        Answer(200, {"state": "HEDGED", "trade_info": {"ticket": 1002}}),
        Answer(200, {"state": "HEDGED", "trade_info": {"ticket": 1001.0}}),
        Answer(200, {"state": "", "trade_info": {"ticket": 1001}}),
        Answer(200, {"trade_info": {"ticket": 1001}}),
    ],
)
def test_what_tells_no_state_of_the_ticket_tells_none(answer: Answer) -> None:
    assert judge_state(1001, answer) is None


def test_ready_is_said_with_a_boolean_and_a_200() -> None:
    assert judge_health(Answer(200, {"ready": True})).ready
    assert not judge_health(Answer(200, {"ready": "true"})).ready
    assert not judge_health(Answer(503, {"ready": True})).ready
    assert not judge_health(Answer(200, UNDECODABLE)).ready


def test_a_refused_readiness_carries_retry_after() -> None:
    refused = Readiness(False, "status 503, not ready", 2.0)
    assert judge_health(Answer(503, {}, 2.0)) == refused


def test_who_is_ready_has_no_reason_and_nothing_to_wait_for() -> None:
    assert Readiness(True, "", None) == READY


def test_who_asks_for_no_wait_is_not_waited_for() -> None:
    assert (Retryable("status 500").retry_after_s, Unclear("").retry_after_s) == (None, None)


@pytest.mark.parametrize("status", [204, 301, 307])
def test_a_status_the_api_never_sends_says_neither_yes_nor_no(trade, status: int) -> None:
    assert judge_enable(trade, Answer(status, {})) == Retryable(f"status {status}", None)
    assert judge_enable(trade, Answer(status, {}, 7.0)) == Retryable(f"status {status}", 7.0)
