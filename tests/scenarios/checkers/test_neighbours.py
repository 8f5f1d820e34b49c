"""Two histories for every checker that differ in one event, and that event decides.

Each pair is written once: the text that both share, with `@` where the event stands, and the event
as it is in the good history and in the bad one; an empty one is an event that is not there. What
is compared is parsed, so that no pair can come to differ in more unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from scenarios.checkers import CHECKERS
from scenarios.history import History, Op
from scenarios.linearizability.models import MODELS
from scenarios.linearizability.verdict import judge_by
from scenarios.set_oracle import elements_of
from scenarios.verdict import Invalid, Valid


@dataclass(frozen=True)
class Neighbours:
    """A good history and a bad one; `why` is what is said of the bad one, word for word."""

    shared: str
    good: str
    bad: str
    why: str

    def texts(self) -> tuple[str, str]:
        return self.shared.replace("@", self.good), self.shared.replace("@", self.bad)


NEIGHBOURS: Mapping[str, Neighbours] = {
    "acknowledged_is_kept": Neighbours(
        """
        0.1s bot/0   invoke register 1001
        0.2s bot/0   ok     register 1001
        @
        """,
        good="9.0s auditor ok read-all 1001",
        bad="9.0s auditor ok read-all 1001:absent",
        why="1001 was acknowledged and is gone",
    ),
    "registered_at_most_once": Neighbours(
        """
        0.10s wire/0 invoke enable 1001
        0.11s wire/1 invoke enable 1001 service=desktop
        0.12s wire/0 ok enable 1001 new
        @
        """,
        good="0.13s wire/1 ok enable 1001 already",
        bad="0.13s wire/1 ok enable 1001 new",
        why="1001 was registered as new twice",
    ),
    "one_new_answer_per_ticket": Neighbours(
        """
        0.1s wire/0  invoke enable 1001
        @
        0.5s wire/5  invoke enable 1001
        0.6s wire/5  ok enable 1001 already
        9.0s auditor ok read-all 1001
        """,
        good="0.2s wire/0 info enable 1001",
        bad="0.2s wire/0 fail enable 1001",
        why="1001 was called registered already, and never new",
    ),
    "answers_have_an_order": Neighbours(
        """
        0.1s wire/0 invoke enable 1001
        0.2s wire/0 ok enable 1001 new
        1.0s wire/1 invoke lookup 1001
        @
        """,
        good="1.1s wire/1 ok lookup 1001 held",
        bad="1.1s wire/1 ok lookup 1001 404",
        why="1001 has no order once operation 4 has ended: lookup -> absent",
    ),
    "failure_is_honest": Neighbours(
        """
        0.1s bot/0   invoke register 1001
        0.2s wire/0  invoke enable 1001
        0.3s wire/0  info enable 1001 server=new
        @
        9.0s auditor ok read-all 1001
        """,
        good="0.4s bot/0 info register 1001 ! pending",
        bad="0.4s bot/0 fail register 1001",
        why="1001 was reported as not registered, and is there",
    ),
    "managed_by_exactly_one": Neighbours(
        """
        0.1s broker  ok execute 1001 strategy_type=breakout
        @
        9.0s auditor ok who-manages 1001=universal_sl_tp_manager
        9.0s auditor ok universal 1001
        """,
        good="9.0s auditor ok read-all 1001:absent",
        bad="9.0s auditor ok read-all 1001",
        why="1001 is managed by dtms_manager and universal_sl_tp_manager",
    ),
    "payload_arrived_as_executed": Neighbours(
        """
        0.1s broker  ok execute 1001
        @
        """,
        good="9.0s auditor ok read-all 1001",
        bad="9.0s auditor ok read-all 1001:volume=0.2",
        why="1001 was executed and registered with different terms: volume 0.1 and 0.2",
    ),
    "unprotected_time_is_bounded": Neighbours(
        """
        1.0s broker ok execute 1001
        1.0s bot/0  invoke register 1001
        2.0s world  ok phase healed
        @
        """,
        good="7.000s bot/0 ok register 1001",
        bad="7.001s bot/0 ok register 1001",
        why="1001 was unprotected for 5.001 s, 5 s are allowed",
    ),
    "caller_is_never_blocked": Neighbours(
        """
        1.0s bot/0 invoke register 1001
        @
        """,
        good="13.000s bot/0 ok register 1001",
        bad="13.001s bot/0 ok register 1001",
        why="registering 1001 took 12.001 s, 12 s are allowed",
    ),
    "retry_discipline": Neighbours(
        """
        0.000s bot/0  invoke register 1001
        0.100s wire/0 invoke enable 1001
        0.101s wire/0 ok enable 1001 429 retry_after=1
        @
        1.200s wire/0 ok enable 1001 new
        1.300s bot/0  ok register 1001
        """,
        good="1.051s wire/0 invoke enable 1001",
        bad="1.050s wire/0 invoke enable 1001",
        why="bot sent 1001 again after 0.949 s, Retry-After was 1 s",
    ),
    "breaker_is_silent": Neighbours(
        """
        0.100s wire/0 invoke health
        0.101s wire/0 ok health 503
        0.200s wire/0 invoke health
        0.201s wire/0 ok health 503
        0.300s wire/0 invoke health
        0.301s wire/0 ok health 503
        0.400s wire/0 invoke health
        0.401s wire/0 ok health 503
        0.500s wire/0 invoke health
        0.501s wire/0 ok health 503
        0.700s wire/0 invoke health
        0.701s wire/0 ok health 503
        @
        """,
        good="",
        bad="0.800s wire/0 invoke health",
        why="bot sent 2 times within 1.400 s after 5 failures in a row",
    ),
    "nothing_sent_before_ready": Neighbours(
        """
        1.0s wire/0 invoke enable 1001
        @
        2.0s world  ok ready dtms
        """,
        good="1.1s wire/0 fail enable 1001",
        bad="1.1s wire/0 ok enable 1001 not_ready",
        why="bot sent 1001 before the server was ready",
    ),
    "health_tells_the_truth": Neighbours(
        """
        1.0s auditor/0 invoke health
        @
        """,
        good="1.1s auditor/0 ok health 503 ready=false",
        bad="1.1s auditor/0 ok health 200 ready=false",
        why="health answered 200 with ready false",
    ),
    "conflict_is_reported": Neighbours(
        """
        0.10s bot/0     invoke register 1001
        0.10s desktop/0 invoke register 1001 volume=0.2
        0.11s wire/0    invoke enable 1001
        0.11s wire/1    invoke enable 1001 service=desktop volume=0.2
        0.12s wire/0    ok enable 1001 new
        0.12s wire/1    ok enable 1001 409
        0.20s bot/0     ok register 1001
        @
        7.00s desktop/1 invoke audit
        8.00s desktop/1 ok audit {"alerts": [{"level": "ERROR", "ticket": 1001}]}
        9.00s auditor   ok read-all 1001
        """,
        good="0.30s desktop/0 fail register 1001 reason=conflict",
        bad="0.30s desktop/0 ok register 1001",
        why="desktop was told of a conflict about 1001 and reported it as registered",
    ),
    "bad_input_changes_nothing": Neighbours(
        """
        1.0s auditor/0 invoke bad-input {"case": "nan", "ticket": 900001, "expected": [422]}
        @
        9.0s auditor   ok read-all 900001:absent
        """,
        good='1.1s auditor/0 ok bad-input {"status": 422}',
        bad='1.1s auditor/0 ok bad-input {"status": 200}',
        why="bad input nan was answered 200, not 422",
    ),
    "failures_are_logged_and_alerted": Neighbours(
        """
        1.00s wire/0 invoke enable 1001
        1.01s wire/0 ok enable 1001 503
        2.00s wire/0 invoke enable 1001
        2.01s wire/0 ok enable 1001 503
        3.00s wire/0 invoke enable 1001
        @
        8.00s bot/9  invoke audit
        8.10s bot/9  ok audit {"alerts": [], "events": [{"level": "WARNING", "ticket": 1001}]}
        """,
        good="3.01s wire/0 ok enable 1001 new",
        bad="3.01s wire/0 ok enable 1001 503",
        why="bot saw 3 failures in a row and alerted nobody",
    ),
    "nothing_leaks": Neighbours(
        """
        8.0s bot/0 invoke audit
        @
        """,
        good='8.1s bot/0 ok audit {"leaks": {"tasks": 1, "threads": 2, "sockets": 10, "files": 2}}',
        bad='8.1s bot/0 ok audit {"leaks": {"tasks": 1, "threads": 2, "sockets": 10, "files": 3}}',
        why="bot is left with 3 more files than before, 2 are allowed",
    ),
    "second_instance_exits": Neighbours(
        """
        0.0s world ok start dtms
        0.5s world ok ready dtms
        1.0s world ok start dtms-second
        @
        """,
        good="2.0s world ok exited dtms-second exit_status=1",
        bad="2.0s world ok exited dtms-second exit_status=0",
        why="dtms-second ended as if all were well",
    ),
    "targets_keep_running": Neighbours(
        """
        0.0s world ok start dtms
        1.0s world ok kill dtms
        1.0s world ok exited dtms exit_status=-9
        2.0s world ok start dtms
        @
        """,
        good="2.5s world ok ready dtms",
        bad="22.0s world ok not-ready dtms",
        why="dtms was started again after healing and did not get ready",
    ),
}

MODEL_NEIGHBOURS: Mapping[str, Neighbours] = {
    "registration": NEIGHBOURS["answers_have_an_order"],
    "register": Neighbours(
        """
        0.1s bot/0     invoke write [1]
        0.2s bot/0     ok     write
        0.3s bot/0     invoke write [2]
        0.4s bot/0     ok     write
        0.5s desktop/0 invoke read
        @
        """,
        good="0.6s desktop/0 ok read [2]",
        bad="0.6s desktop/0 ok read [1]",
        why="the history has no order once operation 6 has ended: read -> 1",
    ),
    "cas-register": Neighbours(
        """
        0.1s bot/0     invoke write [1]
        0.2s bot/0     ok     write
        0.3s bot/0     invoke cas [[1], [2]]
        0.4s bot/0     ok     cas
        0.5s desktop/0 invoke cas [[1], [3]]
        @
        """,
        good="0.6s desktop/0 fail cas",
        bad="0.6s desktop/0 ok cas",
        why="the history has no order once operation 6 has ended: cas 1 3 -> True",
    ),
    "set": Neighbours(
        """
        0.1s bot/0     invoke add [1]
        0.2s bot/0     ok     add
        0.3s desktop/0 invoke read
        @
        """,
        good="0.4s desktop/0 ok read [[1]]",
        bad="0.4s desktop/0 ok read []",
        why="the history has no order once operation 4 has ended: read -> {}",
    ),
}

SET_NEIGHBOURS: Mapping[str, Neighbours] = {
    "lost": Neighbours(
        """
        0.1s wire/0  invoke enable 1001
        0.2s wire/0  ok enable 1001 new
        @
        """,
        good="9.0s auditor ok read-all 1001",
        bad="9.0s auditor ok read-all 1001:absent",
        why="1 known, 1 lost, 0 stale, 0 never read, 0 recovered, 0 duplicated",
    ),
    "stale": Neighbours(
        """
        0.1s wire/0  invoke enable 1001
        0.2s wire/0  ok enable 1001 new
        1.0s wire/1  invoke lookup 1001
        @
        9.0s auditor ok read-all 1001
        """,
        good="1.1s wire/1 ok lookup 1001 held",
        bad="1.1s wire/1 ok lookup 1001 404",
        why="1 known, 0 lost, 1 stale, 0 never read, 0 recovered, 0 duplicated",
    ),
    "duplicated": Neighbours(
        """
        0.1s wire/0  invoke enable 1001
        0.2s wire/0  ok enable 1001 new
        0.3s wire/0  invoke enable 1001
        @
        9.0s auditor ok read-all 1001
        """,
        good="0.4s wire/0 ok enable 1001 already",
        bad="0.4s wire/0 ok enable 1001 new",
        why="1 known, 0 lost, 0 stale, 0 never read, 0 recovered, 1 duplicated",
    ),
}


def events(history: History) -> list[tuple[object, ...]]:
    """All that an operation tells but where it stands."""
    return [(op.time_us, op.process, op.type, op.f, op.value, op.error) for op in history.ops]


def differ_in_one_event(one: History, other: History) -> bool:
    """One event is another, or is in only one of the two; all else is equal and in its order."""
    short, long = sorted((events(one), events(other)), key=len)
    if len(short) == len(long):
        return sum(a != b for a, b in zip(short, long, strict=True)) == 1
    return any(long[:at] + long[at + 1 :] == short for at in range(len(long)))


def both(history, neighbours: Neighbours) -> tuple[History, History]:
    good, bad = (history(text) for text in neighbours.texts())
    assert differ_in_one_event(good, bad)
    return good, bad


def test_every_checker_and_every_model_has_neighbours():
    assert set(NEIGHBOURS) == set(CHECKERS)
    assert set(MODEL_NEIGHBOURS) == set(MODELS)


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_one_event_decides_what_a_checker_says(history, name):
    good, bad = both(history, NEIGHBOURS[name])
    assert CHECKERS[name](good) == Valid()
    verdict = CHECKERS[name](bad)
    assert isinstance(verdict, Invalid)
    assert verdict.why == NEIGHBOURS[name].why


@pytest.mark.parametrize("name", MODEL_NEIGHBOURS)
def test_one_event_decides_whether_a_model_allows_it(history, name):
    good, bad = both(history, MODEL_NEIGHBOURS[name])
    assert judge_by(name, good)[0] == Valid()
    verdict = judge_by(name, bad)[0]
    assert isinstance(verdict, Invalid)
    assert verdict.why == MODEL_NEIGHBOURS[name].why


@pytest.mark.parametrize("name", SET_NEIGHBOURS)
def test_one_event_decides_what_became_of_an_element(history, name):
    good, bad = both(history, SET_NEIGHBOURS[name])
    assert elements_of(good).right
    assert not elements_of(bad).right
    assert str(elements_of(bad)) == SET_NEIGHBOURS[name].why


A, B, C = (Op(n, n, "bot", "ok", f) for n, f in enumerate("abc"))


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ((A, B), (A, B), False),
        ((A, B), (A, C), True),
        ((A, B), (B, A), False),
        ((A, B, C), (A, C), True),
        ((B, C), (A, B, C), True),
        ((A, B), (A, C, C), False),
        ((A,), (A, B, C), False),
    ],
)
def test_what_differs_in_one_event(one, other, differ):
    assert differ_in_one_event(History(one), History(other)) is differ
