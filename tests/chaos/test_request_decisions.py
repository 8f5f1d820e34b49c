"""What request faults decide, without any network."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from chaos.answer import HttpAnswer
from chaos.choice import Draw, benign, seeded
from chaos.faults import (
    AnswerFor,
    DelayAttempt,
    DropAnswer,
    DropRequest,
    DuplicateRequest,
    FailFirst,
    Garbage,
    Trickle,
    Truncate,
    WrongEcho,
)
from chaos.request import RequestView, classify
from chaos.verdict import PASS, Forward, Lose, Reply, Swallow, Verdict, combine

REQUEST = RequestView("bot->dtms", "enable", "POST", "/dtms/trade/enable", 1001, 0)
LINK = "*->dtms"
EVERY_KIND = (
    DropRequest(LINK, op="any"),
    DropAnswer(LINK, op="any"),
    DuplicateRequest(LINK, op="any"),
    DelayAttempt(LINK, op="any", attempt=None, delay_s=1.0),
    AnswerFor(LINK, op="any", status=503),
    FailFirst(LINK, op="any", first=10**9),
    Garbage(LINK, op="any"),
    Truncate(LINK, op="any"),
    Trickle(LINK, op="any", over_s=1.0),
    WrongEcho(LINK, op="any"),
)

requests = st.builds(
    RequestView,
    link=st.sampled_from(["bot->dtms", "desktop->dtms"]),
    op=st.sampled_from(["enable", "lookup", "health", "close", "other"]),
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.sampled_from(["/dtms/trade/enable", "/dtms/trade/1001", "/health"]),
    ticket=st.none() | st.integers(min_value=1, max_value=2**63 - 1),
    attempt=st.integers(min_value=0, max_value=20),
)
draws = st.integers(min_value=0, max_value=1000).map(seeded)


@given(requests, st.integers(min_value=0, max_value=20), draws)
def test_every_request_fault_touches_what_it_is_certainly_meant_for(
    request: RequestView, nth: int, draw: Draw
) -> None:
    assert all(fault.decide(request, nth, draw) != PASS for fault in EVERY_KIND)


@given(requests)
def test_no_request_fault_touches_anything_on_benign_draws(request: RequestView) -> None:
    unsure = [replace(fault, probability=0.999) for fault in EVERY_KIND]
    assert all(fault.decide(request, 0, benign) == PASS for fault in unsure)


@given(requests, draws)
def test_a_fault_decides_the_same_about_the_same_request(request: RequestView, draw: Draw) -> None:
    for fault in (replace(fault, probability=0.5) for fault in EVERY_KIND):
        assert fault.decide(request, 0, draw) == fault.decide(request, 0, draw)


@given(requests, draws, st.sampled_from(["enable", "lookup", "health", "close"]))
def test_a_fault_passes_other_operations(request: RequestView, draw: Draw, op: str) -> None:
    verdict = DropRequest(LINK, op=op).decide(request, 0, draw)  # type: ignore[arg-type]
    assert (verdict == PASS) == (request.op != op)


@given(requests, draws)
def test_a_fault_passes_other_tickets(request: RequestView, draw: Draw) -> None:
    assert DropRequest(LINK, op="any", ticket=0).decide(request, 0, draw) == PASS


@given(requests, draws)
def test_a_fault_for_one_attempt_passes_the_others(request: RequestView, draw: Draw) -> None:
    fault = DropRequest(LINK, op="any", attempt=3)
    assert (fault.decide(request, 0, draw) == PASS) == (request.attempt != 3)


@settings(max_examples=10)
@given(draws)
def test_two_kinds_of_fault_decide_about_a_request_independently(draw: Draw) -> None:
    tickets = [structs.replace(REQUEST, ticket=n) for n in range(200)]
    lost = [DropAnswer(LINK, probability=0.5).decide(r, 0, draw) != PASS for r in tickets]
    doubled = [DuplicateRequest(LINK, probability=0.5).decide(r, 0, draw) != PASS for r in tickets]
    assert lost != doubled


def test_a_lost_request_never_reaches_the_server() -> None:
    assert DropRequest(LINK, how="reset").decide(REQUEST, 0, benign) == Swallow("reset")


def test_a_lost_answer_was_given() -> None:
    assert DropAnswer(LINK, how="close").decide(REQUEST, 0, benign) == Forward(answer=Lose("close"))


def test_a_duplicated_request_is_forwarded_twice() -> None:
    assert DuplicateRequest(LINK).decide(REQUEST, 0, benign) == Forward(copies=2)


def test_the_first_attempt_is_delayed_by_default() -> None:
    fault = DelayAttempt(LINK, delay_s=0.5)
    assert fault.decide(REQUEST, 0, benign) == Forward(delay_s=0.5)
    assert fault.decide(structs.replace(REQUEST, attempt=1), 0, benign) == PASS


def test_an_answer_can_be_delayed_instead_of_the_request() -> None:
    fault = DelayAttempt(LINK, delay_s=0.5, part="answer")
    assert fault.decide(REQUEST, 0, benign) == Forward(answer_delay_s=0.5)


@given(st.integers(min_value=1, max_value=9), st.integers(min_value=0, max_value=20))
def test_the_first_attempts_fail_and_no_later_one(first: int, nth: int) -> None:
    verdict = FailFirst(LINK, first=first, status=429).decide(REQUEST, nth, benign)
    assert isinstance(verdict, Reply) == (nth < first)


def test_an_answer_in_the_servers_place_says_when_to_come_back() -> None:
    verdict = AnswerFor(LINK, status=503, body="{}", retry_after_s=2).decide(REQUEST, 0, benign)
    assert verdict == Reply(
        503, (("content-type", "application/json"), ("retry-after", "2")), b"{}"
    )


def test_headers_of_an_answer_in_the_servers_place_can_be_chosen() -> None:
    fault = AnswerFor(LINK, status=502, body="<p>", headers=(("Content-Type", "text/html"),))
    assert fault.decide(REQUEST, 0, benign) == Reply(502, (("Content-Type", "text/html"),), b"<p>")


SAID = {"success": True, "trade_info": {"ticket": 1001, "symbol": "EURUSD", "stop_loss": None}}
ANSWER = HttpAnswer(200, (("Content-Type", "application/json"),), json.dumps(SAID).encode())


def changed(fault: Garbage | Truncate | Trickle | WrongEcho, answer: HttpAnswer = ANSWER) -> bytes:
    verdict = fault.decide(REQUEST, 0, benign)
    assert isinstance(verdict, Forward)
    assert not isinstance(verdict.answer, Lose)
    return verdict.answer.deliver(answer).body


@pytest.mark.parametrize(
    ("field", "wrong"), [("ticket", 1002), ("symbol", "EURUSDX"), ("stop_loss", 1.0)]
)
def test_a_wrong_echo_is_wrong_in_one_field(field: str, wrong: object) -> None:
    expected = {"success": True, "trade_info": {**SAID["trade_info"], field: wrong}}  # type: ignore[dict-item]
    assert json.loads(changed(WrongEcho(LINK, field=field))) == expected


def test_a_wrong_echo_leaves_alone_what_quotes_nothing() -> None:
    assert changed(WrongEcho(LINK), HttpAnswer(503, (), b"no JSON")) == b"no JSON"
    assert changed(WrongEcho(LINK), HttpAnswer(200, (), b"[1]")) == b"[1]"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3),
    )
)
def test_a_wrong_echo_is_never_right(value: object) -> None:
    answer = HttpAnswer(200, (), json.dumps({"trade_info": {"ticket": value}}).encode())
    said = json.loads(changed(WrongEcho(LINK), answer))["trade_info"]["ticket"]
    assert said != json.loads(answer.body)["trade_info"]["ticket"] or type(said) is not type(value)


@pytest.mark.parametrize("kind", ["bytes", "html", "empty", "not-http"])
def test_garbage_is_no_json(kind: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json.loads(changed(Garbage(LINK, kind=kind)))  # type: ignore[arg-type]


def test_garbage_can_be_json_of_another_shape() -> None:
    assert isinstance(json.loads(changed(Garbage(LINK, kind="array"))), list)


@example(b"x" * 200, 0.9999999999999999)
@given(st.binary(max_size=200), st.floats(min_value=0, max_value=1, exclude_max=True))
def test_a_truncated_answer_is_never_whole(body: bytes, kept: float) -> None:
    answer = HttpAnswer(200, (), body)
    verdict = Truncate(LINK, kept=kept).decide(REQUEST, 0, benign)
    assert isinstance(verdict, Forward)
    assert not isinstance(verdict.answer, Lose)
    delivery = verdict.answer.deliver(answer)
    assert delivery.answer is None
    assert len(delivery.head + delivery.body) < len(answer.head() + body)
    assert (answer.head() + body).startswith(delivery.head + delivery.body)


verdicts = st.one_of(
    st.builds(Swallow),
    st.builds(Reply, status=st.just(503)),
    st.builds(
        Forward,
        delay_s=st.sampled_from([0.0, 0.5]),
        copies=st.integers(min_value=1, max_value=3),
        answer=st.sampled_from([PASS.answer, Lose("reset"), Lose("hang")]),
    ),
)


@given(st.lists(verdicts, max_size=5))
def test_of_several_verdicts_the_first_that_stops_a_request_decides(several: list[Verdict]) -> None:
    stopping = [verdict for verdict in several if not isinstance(verdict, Forward)]
    combined = combine(several)
    if stopping:
        assert combined == stopping[0]
    else:
        assert isinstance(combined, Forward)


@given(st.lists(st.builds(Forward, delay_s=st.sampled_from([0.0, 0.5])), max_size=5))
def test_delays_of_several_verdicts_add_up(several: list[Forward]) -> None:
    combined = combine(several)
    assert isinstance(combined, Forward)
    assert combined.delay_s == sum(verdict.delay_s for verdict in several)


def test_the_first_verdict_that_touches_the_answer_touches_it() -> None:
    several = [PASS, Forward(answer=Lose("reset")), Forward(copies=2, answer=Lose("hang"))]
    assert combine(several) == Forward(copies=2, answer=Lose("reset"))


@pytest.mark.parametrize(
    ("method", "path", "payload", "expected"),
    [
        ("POST", "/dtms/trade/enable", {"ticket": 7}, ("enable", 7)),
        ("POST", "/dtms/trade/enable", {"ticket": "7"}, ("enable", None)),
        ("POST", "/dtms/trade/enable", {"ticket": True}, ("enable", None)),
        ("POST", "/dtms/trade/enable", "rubbish", ("enable", None)),
        ("GET", "/dtms/trade/enable", None, ("other", None)),
        ("GET", "/dtms/trade/12", None, ("lookup", 12)),
        ("DELETE", "/dtms/trade/12", None, ("close", 12)),
        ("PUT", "/dtms/trade/12", None, ("other", 12)),
        ("GET", "/dtms/trade/12a", None, ("other", None)),
        ("GET", "/dtms/health", None, ("health", None)),
        ("GET", "/health", None, ("health", None)),
        ("POST", "/universal/trades", {"ticket": 9}, ("other", 9)),
    ],
)
def test_operation_and_ticket_are_read_off_a_request(
    method: str, path: str, payload: object, expected: tuple[str, int | None]
) -> None:
    assert classify(method, path, payload) == expected
