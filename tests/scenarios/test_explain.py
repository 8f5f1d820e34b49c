from __future__ import annotations

from scenarios.checkers.acknowledged_is_kept import acknowledged_is_kept
from scenarios.explain import LINE_CHARACTERS_MAX, OPERATIONS_MAX, explain, tell
from scenarios.history import History, Op
from scenarios.verdict import Invalid, Unknown, Valid


def test_a_violation_ends_with_the_operations_that_show_it(history):
    told = history(
        """
        0.020s bot invoke register 1001 via=auto volume=0.2
        0.100s bot ok register 1001
        0.200s desktop invoke register 1002
        0.862s auditor ok read-all 1001:absent
        """
    )
    verdict = Invalid("1001 was acknowledged and is gone", (1, 2), (1001,))
    lines = explain("acknowledged_is_kept", verdict, told).splitlines()
    assert lines[0] == "INVALID acknowledged_is_kept: 1001 was acknowledged and is gone"
    assert [" ".join(line.split()[:5]) for line in lines[1:]] == [
        "0.020s bot invoke register 1001",
        "0.100s bot ok register 1001",
    ]
    assert "via=auto" in lines[1]


def test_evidence_that_a_checker_gave_is_found_again(history):
    told = history(
        "0.1s bot/0 invoke register 1001\n 0.2s bot/0 ok register 1001\n"
        "9s auditor ok read-all 1001:absent"
    )
    text = explain("acknowledged_is_kept", acknowledged_is_kept(told), told)
    assert [line.split()[0] for line in text.splitlines()[1:]] == ["0.100s", "0.200s", "9.000s"]


def test_without_evidence_all_about_the_tickets_is_told(history):
    told = history("1s bot invoke register 1001\n 2s bot ok register 1001\n 3s bot invoke x 1002")
    lines = explain("x", Invalid("why", (), (1001,)), told).splitlines()
    assert len(lines) == 3


def test_of_a_reading_only_what_is_about_the_tickets_is_shown(history):
    told = history("9s auditor ok read-all 1001:absent 1002")
    lines = explain("x", Invalid("why", (1,), (1001,)), told).splitlines()
    assert lines[1].split() == ["9.000s", "auditor", "ok", "read-all", "1001=null"]


def test_the_number_of_operations_is_bounded_and_the_first_violation_comes_first(history):
    told = history("\n".join(f"{n}s bot ok register 1001" for n in range(100)))
    verdict = Invalid("why", (99, 98, *range(1, 90)))
    lines = explain("x", verdict, told).splitlines()
    assert len(lines) == OPERATIONS_MAX + 2
    assert lines[-1] == f"   ... {91 - OPERATIONS_MAX} more operations"
    assert "0.000s" in lines[1]
    assert "98.000s" in lines[-2]


def test_an_error_and_a_long_value_stay_on_one_bounded_line():
    value = {str(n): "x\ny" * 500 for n in range(9)}
    ops = (
        Op(0, 0, "bot/0", "info", "register", value, "no\nanswer"),
        Op(1, 1_500_000, "bot/0", "info", "register", None, "no\nanswer"),
    )
    lines = explain("x", Invalid("two\nlines", (0, 1)), History(ops)).splitlines()
    assert lines[0] == "INVALID x: two lines"
    assert len(lines) == 3
    assert len(lines[1]) == LINE_CHARACTERS_MAX
    assert lines[2].endswith("(no answer)")


def test_unknown_and_valid_are_told_in_a_line():
    assert explain("x", Unknown("nothing to check"), History(())) == "UNKNOWN x: nothing to check"
    assert explain("x", Valid(), History(())) == "VALID x"


def test_a_refusal_is_told_in_its_own_words():
    body = {
        "error": "invalid_request",
        "message": "volume: expected a number, " + "x" * 60,
    }
    value = {
        "link": "bot->dtms",
        "service": "bot",
        "ticket": 1001,
        "payload": {"ticket": 1001, "symbol": "X" * 200},
        "reason": "",
        "server_status": 422,
        "server_body": body,
        "status": 422,
        "body": body,
    }
    op = Op(0, 0, "wire/0", "ok", "enable", value)
    line = explain("x", Invalid("why", (0,)), History((op,))).splitlines()[1]
    assert f"server_status=422 server_body=invalid_request: {body['message']} payload=" in line
    assert "reason" not in line
    assert " body=" not in line
    assert "service" not in line
    assert len(line) <= LINE_CHARACTERS_MAX


def test_a_history_is_told_from_its_end():
    ops = tuple(Op(n, n * 1_000_000, "bot/0", "ok", "register", {"ticket": n}) for n in range(5))
    lines = tell(History(ops), operations_max=2).splitlines()
    assert lines == [
        "   ... 3 operations before",
        "   3.000s bot/0      ok     register 3",
        "   4.000s bot/0      ok     register 4",
    ]
    assert len(tell(History(ops)).splitlines()) == 5
