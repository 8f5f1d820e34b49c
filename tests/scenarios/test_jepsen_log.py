"""Jepsen's histories: its log, its EDN, and the verdicts that are known of some."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from scenarios.edn import EdnRefused, Keyword, read_edn
from scenarios.history import HistoryRefused
from scenarios.jepsen_log import decode_jepsen, read_jepsen
from scenarios.linearizability.verdict import judge_by
from scenarios.verdict import Invalid, Valid

CORPUS = Path(__file__).parents[3] / "shared" / "corpora" / "etcd"
LOG = """\
INFO  jepsen.util - 0\t:invoke\t:write\t4
WARN  something else altogether
INFO  jepsen.util - :nemesis\t:info\t:start\t:partition
INFO  jepsen.util - 1\t:invoke\t:cas\t[3 0]
INFO  jepsen.util - 0\t:ok\t:write\t4
INFO  jepsen.util - 1\t:info\t:cas\t:timed-out
INFO  jepsen.util - 2\t:invoke\t:read\tnil
INFO  jepsen.util - 2\t:ok\t:read\t4
"""
EDN = """\
{:process 0, :type :invoke, :f :add, :value 1, :time 12}
{:process :nemesis, :type :info, :f :start}
{:process 0, :type :ok, :f :add, :value 1}
{:process 1, :type :invoke, :f :read, :value nil}
{:process 1, :type :ok, :f :read, :value #{1}, :error "late"}
"""


def told(history):
    return [(op.process, op.type, op.f, op.value, op.error) for op in history.ops]


def test_the_clients_lines_of_a_log_are_the_history():
    assert told(decode_jepsen(LOG.encode())) == [
        ("0", "invoke", "write", 4, None),
        ("1", "invoke", "cas", [3, 0], None),
        ("0", "ok", "write", 4, None),
        ("1", "info", "cas", None, ":timed-out"),
        ("2", "invoke", "read", None, None),
        ("2", "ok", "read", 4, None),
    ]


def test_maps_are_as_good_as_lines():
    assert told(decode_jepsen(EDN.encode())) == [
        ("0", "invoke", "add", 1, None),
        ("0", "ok", "add", 1, None),
        ("1", "invoke", "read", None, None),
        ("1", "ok", "read", frozenset({1}), "late"),
    ]
    assert judge_by("set", decode_jepsen(EDN.encode()))[0] == Valid()
    lost = decode_jepsen(EDN.replace("#{1}", "#{}").encode())
    assert isinstance(judge_by("set", lost)[0], Invalid)


def test_records_marks_and_blanks_are_read_over():
    text = "\ufeff" + EDN.replace("{:process 1", " #jepsen.history.Op{:process 1") + "\r\n"
    assert told(decode_jepsen(text.encode())) == told(decode_jepsen(EDN.encode()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no operation\n",
        "INFO  jepsen.util - 0 :invoke :cas [3\n",
        "{:process 0, :type :invoke, :f :read} {:process 0, :type :ok, :f :read, :value 9}\n",
        "{:process 0.0, :type :invoke, :f :read}\n",
        "{:process true, :type :invoke, :f :read}\n",
        "{:process 0, :type :done, :f :read}\n",
        "{:process 0, :type :invoke}\n",
        "{:process 0, :type :invoke, :f :write}\n{:process 0, :type :ok, :f :read}\n",
        '{:process 0, :type :invoke, :f :read, :value #inst "2026"}\n',
    ],
)
def test_what_is_no_history_is_refused_in_words(text):
    with pytest.raises(HistoryRefused, match="some log"):
        decode_jepsen(text.encode(), "some log")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nil", None),
        ("true", True),
        ("-12", -12),
        ("3N", 3),
        ("1.5e3", 1500.0),
        ('"a \\"b\\""', 'a "b"'),
        (":timed-out", Keyword("timed-out")),
        ("[1 [2, 3] nil]", [1, [2, 3], None]),
        ("(1 2)", [1, 2]),
        ("#{1 2}", frozenset({1, 2})),
        ("{:a 1, :b [2]}", {Keyword("a"): 1, Keyword("b"): [2]}),
    ],
)
def test_values_are_what_they_say(text, value):
    assert read_edn(text + " behind") == (value, " behind")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1",
        "{:a}",
        "#{[1]}",
        "what",
        "]",
        "[" * 200,
        '"cut',
        "#inst",
        "nan",
        "1_0",
        '"\\ud800"',
    ],
)
def test_what_is_no_value_is_refused(text):
    with pytest.raises(EdnRefused):
        read_edn(text)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpora are not here")
def test_every_verdict_that_is_known_is_found_again():
    known = json.loads((CORPUS / "verdicts.json").read_text())
    began_s = time.process_time()
    found = {}
    for file in sorted(CORPUS.glob("*.log")):
        verdict, _why = judge_by("cas-register", read_jepsen(file))
        found[file.name] = {Valid: "valid", Invalid: "invalid"}.get(type(verdict), "unknown")
    assert time.process_time() - began_s < 3.0
    assert found == known
    assert len(found) == 102
