from __future__ import annotations

import json
import threading
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.history import (
    History,
    HistoryCutOff,
    HistoryRefused,
    Op,
    Recorder,
    encode_op,
    service_of,
)

GOOD = (
    b'{"index":0,"time_us":0,"process":"bot/0","type":"invoke","f":"register","value":{"ticket":1}}'
)


def line(**changed):
    return json.dumps({**json.loads(GOOD), **changed}).encode()


def test_what_is_encoded_is_decoded_again(history):
    told = history(
        """
        0.1s bot/0 invoke register 1001
        0.2s bot/0 info   register 1001 ! no answer in 60 s
        """
    )
    assert History.decode(told.encode()) == told


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(deadline=None)
@given(JSON, st.none() | st.text())
def test_any_value_survives_being_written_and_read(value, error):
    op = Op(0, 1, "bot", "ok", "x", value, error)
    assert History.decode(encode_op(op)).ops == (op,)


def test_a_lone_surrogate_does_not_stop_the_recorder():
    op = Op(0, 1, "bot", "ok", "x", {"a\ud800": ["\ud800", 1]}, "\udfff")
    assert History.decode(encode_op(op)).ops[0].value == {"a\\ud800": ["\\ud800", 1]}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"rubbish", "malformed"),
        (b"", "truncated"),
        (b"\xff\xfe", "malformed"),
        (line(type="maybe"), "Invalid enum value 'maybe'"),
        (line(index="0"), "Expected `int`"),
        (line(extra=1), "unknown field `extra`"),
        (b'{"index":1}', "missing required field"),
        (b'{"value":' + b"[" * 100_000, "recursion"),
        (line(index=0, process="bot/1"), "index 0 comes after 0"),
        (line(index=1, time_us=-1, process="bot/1"), "time -1 us comes after 0 us"),
        (line(index=1), "bot/0 has an open register, and this is invoke register"),
        (line(index=1, type="ok", f="close"), "bot/0 has an open register, and this is ok close"),
    ],
)
def test_a_malformed_line_is_refused_by_file_and_line(tmp_path, bad, words):
    path = tmp_path / "h.jsonl"
    path.write_bytes(GOOD + b"\n" + bad + b"\n" + line(index=9) + b"\n")
    with pytest.raises(HistoryRefused) as refused:
        History.read(path)
    assert str(refused.value).startswith(f"{path}:2: ")
    assert words in str(refused.value)
    assert not isinstance(refused.value, HistoryCutOff)


def test_a_burnt_lane_that_is_used_again_is_refused():
    content = b"\n".join([GOOD, line(index=1, type="info"), line(index=2), b""])
    with pytest.raises(HistoryRefused, match="bot/0 ended in info and may not be used again"):
        History.decode(content)


def test_a_nemesis_that_tells_in_info_is_not_burnt():
    nemesis = {"process": "nemesis", "f": "inflict", "type": "info"}
    content = b"\n".join([line(index=0, **nemesis), line(index=1, **nemesis), b""])
    assert len(History.decode(content).ops) == 2


def test_a_truncated_last_line_is_told_apart_and_what_is_before_it_is_kept(tmp_path):
    path = tmp_path / "h.jsonl"
    path.write_bytes(GOOD + b"\n" + line(index=1)[:20])
    with pytest.raises(HistoryCutOff) as cut:
        History.read(path)
    assert str(cut.value) == (
        f"{path}:2: the last line is cut off, as if the recorder had died while writing it; "
        "the 1 before it are whole"
    )
    assert [op.index for op in cut.value.history.ops] == [0]


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="nothere"):
        History.read(tmp_path / "nothere")


def test_an_empty_history_has_no_header_and_ends_at_once():
    empty = History.decode(b"")
    assert (empty.ops, dict(empty.header), empty.end_us) == ((), {}, 0)


def test_the_header_is_the_worlds_first_word(history):
    assert history("").header["level"] == "durable"


def test_calls_pair_by_process_and_lane(history):
    told = history(
        """
        0.1s bot/0     invoke register 1001
        0.2s bot/1     invoke register 1002
        0.2s desktop/0 invoke register 1003
        0.3s bot/1     ok     register 1002
        0.4s bot/0     fail   register 1001 reason=rejected
        """
    )
    calls = told.calls("register")
    assert [(c.ticket, c.ended) for c in calls] == [(1001, "fail"), (1002, "ok"), (1003, "info")]
    assert [c.ticket for c in told.calls("register", service="bot")] == [1001, 1002]
    assert calls[0].get("reason") == "rejected"
    assert (calls[0].indices, calls[2].indices) == ((1, 5), (3,))
    assert [c.ticket for c in told.calls()] == [1001, 1002, 1003]


def test_a_completion_without_an_invocation_is_a_note(history):
    told = history(
        """
        0.1s broker ok execute 1001
        0.2s world  ok phase healed
        """
    )
    assert [op.ticket for op in told.notes("execute", "broker")] == [1001]
    assert (told.phase("healed"), told.phase("settled")) == (told.ops[2], None)
    assert told.end_us == 200_000


def test_a_value_that_is_no_object_has_no_fields_and_true_is_no_ticket():
    assert Op(0, 0, "bot", "ok", "x", [1]).get("ticket") is None
    assert Op(0, 0, "bot", "ok", "x", {"ticket": True}).ticket is None


def test_the_service_is_what_stands_before_the_lane():
    assert (service_of("bot/3"), service_of("world")) == ("bot", "world")


@pytest.fixture
def recorder(tmp_path):
    with Recorder(tmp_path / "h.jsonl", clock=count(0, 10).__next__) as recorder:
        recorder.path = tmp_path / "h.jsonl"
        yield recorder


def test_what_was_recorded_is_in_the_file_at_once(recorder):
    recorder.note("world", "start", {"actor": "dtms"})
    call = recorder.invoke("bot", "register", {"ticket": 1})
    assert len(History.read(recorder.path).ops) == 2
    call.fail({"ticket": 1}, "no")
    last = History.read(recorder.path).ops[-1]
    assert last == Op(2, 20, "bot/0", "fail", "register", {"ticket": 1}, "no")


def test_the_lowest_free_lane_is_taken(recorder):
    first, second = recorder.invoke("bot", "register"), recorder.invoke("bot", "register")
    other = recorder.invoke("desktop", "register")
    first.ok()
    third = recorder.invoke("bot", "audit")
    assert [call.lane for call in (first, second, other, third)] == [0, 1, 0, 0]


def test_info_burns_the_lane(recorder):
    recorder.invoke("bot", "register").info(None, "pending")
    assert recorder.invoke("bot", "register").lane == 1


def test_a_call_that_has_ended_cannot_end_again(recorder):
    call = recorder.invoke("bot", "register")
    call.ok()
    with pytest.raises(ValueError, match="bot/0 register has ended already: ok"):
        call.info()


def test_a_clock_that_steps_back_makes_no_history_that_is_refused(tmp_path):
    path = tmp_path / "h.jsonl"
    with Recorder(path, clock=iter([10, 5]).__next__) as recorder:
        recorder.note("world", "start")
        recorder.note("world", "ready")
    assert [op.time_us for op in History.read(path).ops] == [10, 10]


def test_without_a_clock_time_begins_with_the_recorder(tmp_path):
    with Recorder(tmp_path / "h.jsonl") as recorder:
        assert 0 <= recorder.note("world", "start").time_us < 60_000_000


def test_an_existing_history_is_never_overwritten(tmp_path):
    path = tmp_path / "h.jsonl"
    path.write_bytes(GOOD)
    with pytest.raises(FileExistsError):
        Recorder(path)
    assert path.read_bytes() == GOOD


def test_nothing_can_be_recorded_after_closing(recorder):
    recorder.close()
    with pytest.raises(ValueError, match="closed file"):
        recorder.note("world", "start")


def test_many_threads_write_one_well_formed_history(tmp_path):
    path = tmp_path / "h.jsonl"
    with Recorder(path) as recorder:

        def work():
            for ticket in range(200):
                recorder.invoke("bot", "register", {"ticket": ticket}).ok({"ticket": ticket})

        threads = [threading.Thread(target=work) for _n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    told = History.read(path)
    assert [op.index for op in told.ops] == list(range(1600))
    assert all(call.ended == "ok" for call in told.calls("register"))
