from __future__ import annotations

import pytest

from scenarios.evidence.exchange import deliveries, exchanges
from scenarios.history import History, Op


def only(history, *fs):
    (exchange,) = exchanges(history, *fs)
    return exchange


def test_what_goes_to_others_than_the_dtms_api_is_left_out(history):
    told = history(
        '1s wire/0 invoke enable {"link": "bot->main-api", "ticket": 1001}\n'
        "2s wire/1 invoke enable 1001"
    )
    assert [e.begun for e in exchanges(told, "enable")] == [2]


def test_without_a_link_it_is_taken_for_the_dtms_api(history):
    told = history('1s wire/0 invoke enable {"service": "bot", "ticket": 1001}')
    assert only(told).service == "bot"


def test_the_service_is_the_links_left_side_where_nothing_else_is_said(history):
    assert only(history('1s wire/0 invoke enable {"link": "bot->dtms"}')).service == "bot"


@pytest.mark.parametrize("fault", ["AnswerFor", "answer-for", "latency+answer-for", "fail_first"])
def test_an_answer_in_the_servers_stead_says_nothing_about_the_server(history, fault):
    told = history(f"1s wire/0 invoke enable 1001\n 2s wire/0 ok enable 1001 503 fault={fault}")
    exchange = only(told)
    assert (exchange.status, exchange.server, exchange.reached) == (503, None, False)


@pytest.mark.parametrize("fault", ["latency", "null"])
def test_a_fault_that_only_delays_delivers_the_servers_answer(history, fault):
    told = history(f"1s wire/0 invoke enable 1001\n 2s wire/0 ok enable 1001 503 fault={fault}")
    assert only(told).server.status == 503


def test_what_the_server_said_outweighs_what_was_delivered(history):
    told = history("1s wire/0 invoke enable 1001\n 2s wire/0 ok enable 1001 500 server=new")
    exchange = only(told)
    assert (exchange.status, exchange.server.registered, exchange.failed) == (500, True, True)


def test_a_copy_is_the_networks_and_reaches_the_server_only(history):
    told = history(
        "1s wire/0 invoke enable 1001\n 2s network/0 invoke enable 1001\n"
        "3s network/0 ok enable 1001 already\n 4s wire/0 ok enable 1001 new"
    )
    assert [e.copy for e in exchanges(told, "enable")] == [False]
    assert [(e.copy, e.status) for e in deliveries(told, "enable")] == [(False, 200), (True, None)]


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("1", 1.0), (2, 2.0), ("soon", None), ("9" * 400, None), (True, None), (None, None)],
)
def test_retry_after_is_seconds_or_nothing(told, seconds):
    invoke = Op(0, 0, "wire/0", "invoke", "enable", {"ticket": 1})
    answer = Op(1, 1, "wire/0", "ok", "enable", {"status": 429, "retry_after": told})
    assert only(History((invoke, answer))).retry_after_s == seconds


def test_a_client_may_have_to_wait_out_its_timeout_to_notice(history):
    told = history("1s wire/0 invoke enable 1001\n 1.5s wire/0 info enable 1001")
    assert only(told).noticed_us(1_000_000) == 2_000_000
    told = history("1s wire/0 invoke enable 1001\n 1.5s wire/0 info enable 1001 fault=reset")
    assert only(told).noticed_us(1_000_000) == 1_500_000
