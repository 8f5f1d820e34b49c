"""What holds for every checker, and for the judge that asks them."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenarios.checkers import CHECKERS, judge
from scenarios.explain import explain
from scenarios.history import History, Op
from scenarios.suites import SCENARIOS
from scenarios.verdict import Invalid, Unknown, Valid

EVERY = pytest.mark.parametrize("checker", CHECKERS.values(), ids=list(CHECKERS))
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Other work on the machine must not fail a property."""


@EVERY
def test_a_checker_is_called_as_its_file_and_says_what_it_does_not_check(checker):
    assert checker.__module__ == f"scenarios.checkers.{checker.__name__}"
    assert "not check" in " ".join(inspect.getdoc(checker).split())


@EVERY
def test_an_empty_history_proves_nothing(checker):
    assert isinstance(checker(History(())), Unknown)


def test_every_checker_that_a_scenario_names_exists():
    named = {name for scenario in SCENARIOS.values() for name in scenario.checkers}
    assert named <= set(CHECKERS)


def test_the_judge_asks_the_named_checkers_in_their_order():
    verdicts = judge(History(()), ["nothing_leaks", "acknowledged_is_kept"])
    assert list(verdicts) == ["nothing_leaks", "acknowledged_is_kept"]


def test_a_checker_that_does_not_exist_is_unknown_by_name():
    assert judge(History(()), ["all_is_well"]) == {
        "all_is_well": Unknown("there is no checker 'all_is_well'")
    }


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([1001, 1002, 200, 503, "1001", "CLOSED", "dtms", "conflict", "", 1e308, -1])
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
FIELDS = [
    "ticket",
    "trade",
    "via",
    "reason",
    "payload",
    "link",
    "service",
    "attempt",
    "status",
    "body",
    "retry_after",
    "server_status",
    "server_body",
    "fault",
    "symbol",
    "direction",
    "entry",
    "volume",
    "stop_loss",
    "take_profit",
    "strategy_type",
    "actor",
    "exit_status",
    "name",
    "pending",
    "outcomes",
    "alerts",
    "events",
    "leaks",
    "ready",
    "status_code",
    "case",
    "expected",
    "level",
    "policy",
    "bounds",
    "1001",
    "1002",
    "success",
    "already_registered",
    "trade_info",
    "state",
]
SOUND = {
    "ticket": st.sampled_from([1001, 1002]),
    "status": st.sampled_from([200, 409, 422, 429, 500, 503]),
    "server_status": st.sampled_from([200, 409, 503]),
    "service": st.sampled_from(["bot", "desktop"]),
    "actor": st.sampled_from(["dtms", "bot", "broker", "dtms-second"]),
    "name": st.sampled_from(["healed", "settled"]),
    "fault": st.sampled_from([None, "AnswerFor", "DropAnswer", "Refuse"]),
    "level": st.sampled_from(["durable", "helper"]),
    "retry_after": st.sampled_from(["1", "soon", 2, None]),
}
TERMS = {"symbol": "X", "direction": "BUY", "entry": 2.0, "volume": 1.0}
SOUND["trade"] = SOUND["payload"] = st.sampled_from([TERMS, {**TERMS, "volume": 2.0}])
VALUE = st.fixed_dictionaries({}, optional={name: SOUND.get(name, ODD) | ODD for name in FIELDS})
FS = [
    "episode",
    "register",
    "enable",
    "lookup",
    "health",
    "close",
    "other",
    "audit",
    "read-all",
    "who-manages",
    "universal",
    "bad-input",
    "execute",
    "position-closed",
    "phase",
    "start",
    "ready",
    "kill",
    "pause",
    "resume",
    "stop",
    "exited",
    "inflict",
]
PROCESSES = ["bot/0", "bot/1", "desktop/0", "wire/0", "wire/1", "auditor", "world", "broker"]
STEP = st.tuples(
    st.sampled_from(PROCESSES),
    st.sampled_from(FS),
    VALUE | ODD,
    st.sampled_from(["invoke", "ok", "fail", "info"]),
    st.sampled_from([None, "pending", "raised ValueError: x", "process died"]),
    st.integers(0, 3_000_000),
)


@st.composite
def well_formed(draw):
    """Any operations of the vocabulary, so that completions follow their invocations."""
    header = draw(st.sampled_from([{}, _header()]) | VALUE)
    ops = [Op(0, 0, "world", "ok", "episode", header)]
    now, open_f = 0, {}
    for process, f, value, type_, error, later in draw(st.lists(STEP, max_size=25)):
        now += later
        begun = open_f.pop(process, None)
        if begun is not None:
            f, type_ = begun, "ok" if type_ == "invoke" else type_
        elif type_ == "invoke":
            open_f[process] = f
        ops.append(Op(len(ops), now, process, type_, f, value, error))
    return History(tuple(ops))


def _header():
    policy = {"retries": 1, "base_s": 0.1, "factor": 2, "cap_s": 1, "timeout_s": 1}
    policy |= {"breaker_threshold": 2, "breaker_cooldown_s": 1.5}
    bounds = {"unprotected_s": 1, "blocked_s": 1, "amplification": 1}
    return {"level": "durable", "policy": policy, "bounds": bounds}


@patient
@given(well_formed())
def test_whatever_stands_in_a_history_no_checker_raises(history):
    for name, verdict in judge(history, CHECKERS).items():
        assert isinstance(verdict, Valid | Invalid | Unknown)
        assert explain(name, verdict, history)
        if isinstance(verdict, Invalid):
            assert verdict.evidence
            assert set(verdict.evidence) <= {op.index for op in history.ops}
        assert isinstance(verdict, Valid) or verdict.why


@patient
@given(
    st.lists(
        st.builds(
            Op,
            index=st.integers(0, 5),
            time_us=st.integers(0, 10**7),
            process=st.sampled_from(PROCESSES),
            type=st.sampled_from(["invoke", "ok", "fail", "info"]),
            f=st.sampled_from(FS),
            value=VALUE | ODD,
            error=st.none() | st.text(max_size=5),
        ),
        max_size=20,
    )
)
def test_not_even_a_history_that_is_not_well_formed_makes_a_checker_raise(ops):
    history = History(tuple(ops))
    for name, verdict in judge(history, CHECKERS).items():
        assert explain(name, verdict, history)
